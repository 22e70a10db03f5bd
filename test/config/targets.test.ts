import { describe, expect, test } from "vitest";
import { authorizedKey, ec2, hostKey, load, places, required, server, target } from "./support.ts";

const machine = (body: string) => target(ec2(body));

const bare = {
  type: "aws_ec2",
  name: "a",
  imageId: "ami-1",
  image: undefined,
  launchTemplate: undefined,
  securityGroupIds: [],
  associatePublicIpAddress: undefined,
  metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: undefined, httpEndpoint: undefined },
  tags: {},
  instanceTypes: ["t4g.nano"],
  keyName: "k",
  subnetIds: [],
  spot: undefined,
  deadManMs: undefined,
  userData: undefined,
  iamInstanceProfile: undefined,
  profile: undefined,
  region: undefined,
  endpoint: undefined,
  address: undefined,
  availabilityZone: undefined,
  ebsBlockDevices: [],
  attachVolumes: [],
  checkPort: 22,
  portMap: new Map(),
  ready: "auto",
  shared: true,
  lingerMs: 0,
  bootTimeoutMs: 300_000,
  maxLifetimeMs: undefined,
  idleTimeoutMs: undefined,
  maxMachines: undefined,
  budgetMsPerDay: undefined,
  beforeStop: undefined,
  stopMode: "terminate",
  hourlyPrice: undefined,
};

describe("forward", () => {
  test("has its host", () => {
    expect(target('target "a" "forward" {\n  to = "example.com"\n}\n')).toEqual({
      type: "forward",
      name: "a",
      to: "example.com",
    });
    expect(target('target a forward { to = "[::1]" }\n')).toEqual({ type: "forward", name: "a", to: "::1" });
    expect(target('target "a" "forward" {\n  to = "h"\n  ports = [22]\n}\n')).toMatchObject({ ports: [22] });
  });
});

describe("aws_ec2", () => {
  test("with the required arguments has the defaults of all others", () => {
    expect(machine("")).toEqual(bare);
  });

  test("with all arguments has all their values", () => {
    const all = machine(`
  subnet_id            = "subnet-1"
  security_group_ids   = ["sg-1", "sg-2"]
  tags                 = { Name = "tape", "project" = "backup", year = 2026 }
  associate_public_ip_address = true
  user_data            = <<-EOT
    #!/bin/sh
    echo "$\${HOME}" %%{x}
  EOT
  iam_instance_profile = "backup"
  profile              = "prod"
  region               = "us-west-2"
  endpoint             = "http://127.0.0.1:4566"
  address              = "private"
  check_port           = 2222
  ready                = "tcp"
  shared               = false
  linger               = "0s"
  boot_timeout         = "10m"
  max_lifetime         = "12h"
  idle_timeout         = "30m"
  ports                = [22, "8022", 22]
  max_machines         = 3
  hourly_price         = 0.0042
  budget {
    hours_per_day = 1.5
  }
  before_stop {
    commands    = [["zpool", "export", "tank"], ["sync"]]
    user        = "admin"
    private_key = <<-KEY
      ${hostKey.replaceAll("\n", "\n      ")}
    KEY
    host_key    = "${authorizedKey}"
    timeout     = "5m"
  }
  spot {
    max_price = 0.0500
    fallback  = "on-demand"
  }
  ebs_block_device {
    device_name           = "/dev/xvda"
    delete_on_termination = true
    encrypted             = true
    kms_key_id            = "key-1"
    snapshot_id           = "snap-1"
    volume_size           = 8
    volume_type           = "io1"
    iops                  = 100
  }
  ebs_block_device {
    device_name = "/dev/xvdc"
    volume_type = "gp3"
    throughput  = 250
  }
  ebs_block_device { device_name = "/dev/xvdb" }
  placement {
    availability_zone = "us-west-2d"
  }
  metadata_options {
    http_tokens                 = "optional"
    http_put_response_hop_limit = 2
    http_endpoint               = "enabled"
  }
  attach_volume {
    device_name = "/dev/sdf"
    volume_id   = "vol-0123456789abcdef0"
  }
  attach_volume {
    device_name = "/dev/sdg"
    volume_id   = "vol-2"
  }
`);
    expect(all).toEqual({
      ...bare,
      subnetIds: ["subnet-1"],
      securityGroupIds: ["sg-1", "sg-2"],
      tags: { Name: "tape", project: "backup", year: "2026" },
      associatePublicIpAddress: true,
      metadataOptions: { httpTokens: "optional", httpPutResponseHopLimit: 2, httpEndpoint: "enabled" },
      userData: '#!/bin/sh\necho "${HOME}" %{x}\n',
      iamInstanceProfile: "backup",
      profile: "prod",
      region: "us-west-2",
      endpoint: "http://127.0.0.1:4566",
      address: "private",
      checkPort: 2222,
      ready: "tcp",
      shared: false,
      bootTimeoutMs: 600_000,
      maxLifetimeMs: 43_200_000,
      idleTimeoutMs: 1_800_000,
      ports: [22, 8022],
      maxMachines: 3,
      hourlyPrice: 0.0042,
      budgetMsPerDay: 5_400_000,
      beforeStop: {
        commands: [["zpool", "export", "tank"], ["sync"]],
        user: "admin",
        privateKey: `${hostKey}\n`,
        hostKey: {
          type: "ssh-ed25519",
          blob: Buffer.from(authorizedKey.split(" ")[1] ?? "", "base64"),
          comment: "dana@laptop",
        },
        timeoutMs: 300_000,
      },
      spot: { maxPrice: "0.05", fallback: "on-demand" },
      availabilityZone: "us-west-2d",
      ebsBlockDevices: [
        {
          deviceName: "/dev/xvda",
          deleteOnTermination: true,
          encrypted: true,
          kmsKeyId: "key-1",
          snapshotId: "snap-1",
          volumeSize: 8,
          volumeType: "io1",
          iops: 100,
          throughput: undefined,
        },
        {
          deviceName: "/dev/xvdc",
          deleteOnTermination: undefined,
          encrypted: undefined,
          kmsKeyId: undefined,
          snapshotId: undefined,
          volumeSize: undefined,
          volumeType: "gp3",
          iops: undefined,
          throughput: 250,
        },
        {
          deviceName: "/dev/xvdb",
          deleteOnTermination: undefined,
          encrypted: undefined,
          kmsKeyId: undefined,
          snapshotId: undefined,
          volumeSize: undefined,
          volumeType: undefined,
          iops: undefined,
          throughput: undefined,
        },
      ],
      attachVolumes: [
        { deviceName: "/dev/sdf", volumeId: "vol-0123456789abcdef0" },
        { deviceName: "/dev/sdg", volumeId: "vol-2" },
      ],
    });
  });

  test.each<[string, object]>([
    ['check_port = "2222"', { checkPort: 2222 }],
    ["check_port = 0", { checkPort: 22 }],
    ["check_port = 65535", { checkPort: 65_535 }],
    ["check_port = null", { checkPort: 22 }],
    ['shared = "false"', { shared: false }],
    ['shared = "true"', { shared: true }],
    ["shared = null", { shared: true }],
    ["region = 22", { region: "22" }],
    ["region = true", { region: "true" }],
    ["region = null", { region: undefined }],
    ['linger = ""', { lingerMs: 0 }],
    ["linger = 0", { lingerMs: 0 }],
    ['linger = "1h30m"', { lingerMs: 5_400_000 }],
    ['linger = "1.5h"', { lingerMs: 5_400_000 }],
    ['linger = "300ms"', { lingerMs: 300 }],
    ['linger = "2us"', { lingerMs: 0.002 }],
    ['linger = "+5s"', { lingerMs: 5000 }],
    ['linger = "-0"', { lingerMs: 0 }],
    ['linger = ".5s"', { lingerMs: 500 }],
    ['linger = "1m1.1s"', { lingerMs: 61_100 }],
    ["security_group_ids = []", { securityGroupIds: [] }],
    ["security_group_ids = null", { securityGroupIds: [] }],
    ['security_group_ids = [for n in [1, 2] : "sg-${n}"]', { securityGroupIds: ["sg-1", "sg-2"] }],
    ["tags = {}", { tags: {} }],
    ["tags = { on = true }", { tags: { on: "true" } }],
    ['associate_public_ip_address = "false"', { associatePublicIpAddress: false }],
    ["metadata_options {}", {}],
    ['instance_type = ["c7g.large", "c6g.large"]', { instanceTypes: ["c7g.large", "c6g.large"] }],
    ["instance_type = 4", { instanceTypes: ["4"] }],
    ['subnet_id = ["subnet-1", "subnet-2"]', { subnetIds: ["subnet-1", "subnet-2"] }],
    ["subnet_id = 1", { subnetIds: ["1"] }],
    ["subnet_id = null", { subnetIds: [] }],
    ["spot {}", { spot: { maxPrice: undefined, fallback: "none" } }],
    ['spot { max_price = "0.0500" }', { spot: { maxPrice: "0.0500", fallback: "none" } }],
    ['spot { fallback = "none" }', { spot: { maxPrice: undefined, fallback: "none" } }],
    ['stop_mode = "stop"', { stopMode: "stop" }],
    ['stop_mode = "hibernate"', { stopMode: "hibernate" }],
    ["hourly_price = 0", { hourlyPrice: 0 }],
    ['hourly_price = "1.25"', { hourlyPrice: 1.25 }],
    ["budget { hours_per_day = 24 }", { budgetMsPerDay: 86_400_000 }],
    ['budget { hours_per_day = ".5" }', { budgetMsPerDay: 1_800_000 }],
    [
      "metadata_options { http_put_response_hop_limit = 64 }",
      {
        metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 64, httpEndpoint: undefined },
      },
    ],
    [`user_data = "${"é".repeat(8192)}"`, { userData: "é".repeat(8192) }],
  ])("%s", (line, expected) => {
    // What is given here takes the place of what is required.
    const others = required.replace(/^.*instance_type.*\n/m, line.startsWith("instance_type") ? "" : "$&");
    expect(target(`target "a" "aws_ec2" {\n${others}  ${line}\n}\n`)).toEqual({ ...bare, ...expected });
  });

  test("before_stop has the defaults of all that is not required", () => {
    const keyed = `  before_stop {\n    commands = [["sync"]]\n    private_key = <<KEY\n${hostKey}\nKEY\n  }\n`;
    expect(machine(keyed)).toMatchObject({
      beforeStop: {
        commands: [["sync"]],
        user: "root",
        privateKey: `${hostKey}\n`,
        hostKey: undefined,
        timeoutMs: 120_000,
      },
    });
  });

  test("an image may be a search, instead of image_id", () => {
    const text = (image: string) =>
      target(
        `target "a" "aws_ec2" {\n  instance_type = "t4g.nano"\n  key_name = "k"\n  image {\n${image}  }\n}\n`,
      );
    const base = '    owners = ["099720109477", "self"]\n    name = "backup-*"\n';
    const image = { owners: ["099720109477", "self"], name: "backup-*" };
    expect(text(base)).toEqual({ ...bare, imageId: undefined, image: { ...image, mostRecent: false } });
    expect(text(`${base}    most_recent = true\n`)).toEqual({
      ...bare,
      imageId: undefined,
      image: { ...image, mostRecent: true },
    });
  });

  test("with a launch template what is not given is left to it", () => {
    const withTemplate = (template: string, more = "") =>
      target(`target "a" "aws_ec2" {\n  launch_template {\n${template}  }\n${more}}\n`);
    const left = {
      ...bare,
      imageId: undefined,
      instanceTypes: [],
      keyName: undefined,
      metadataOptions: undefined,
    };
    expect(withTemplate('    id = "lt-1"\n')).toEqual({
      ...left,
      launchTemplate: { id: "lt-1", name: undefined, version: undefined },
    });
    const named = { id: undefined, name: "backup", version: "$Latest" };
    expect(withTemplate('    name = "backup"\n    version = "$Latest"\n', required)).toEqual({
      ...bare,
      metadataOptions: undefined,
      launchTemplate: named,
    });
    const numbered = withTemplate(
      '    name = "backup"\n    version = 3\n    id = null\n',
      '  image {\n    owners = ["self"]\n    name = "x"\n  }\n  metadata_options {}\n',
    );
    expect(numbered).toEqual({
      ...left,
      image: { owners: ["self"], name: "x", mostRecent: false },
      metadataOptions: bare.metadataOptions,
      launchTemplate: { ...named, version: "3" },
    });
  });

  test("reads values of locals and of variables given with -var", () => {
    const text = `${server}
variable "zone" {}
locals {
  types = { small = "t4g.nano" }
}
target "a" "aws_ec2" {
  image_id      = "ami-\${1 + 1}"
  instance_type = local.types.small
  key_name      = "k"
  placement { availability_zone = "us-\${var.zone}" }
}
`;
    const { config, diagnostics } = load(text, { vars: { zone: "west-2d" } });
    expect(diagnostics).toEqual([]);
    expect(config?.targets[0]).toMatchObject({
      imageId: "ami-2",
      instanceTypes: ["t4g.nano"],
      availabilityZone: "us-west-2d",
    });
    expect(places(load(text, { vars: { zone: "z", zoen: "z" } }))).toEqual([
      "undefined:undefined Value for undeclared variable",
    ]);
  });
});
