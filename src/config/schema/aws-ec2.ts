import type { Decoder } from "../decode/decoder.ts";
import { blocks, optional, required, type Section } from "../decode/row.ts";
import { boolean, no, ok, oneOf, refined, text, wholeNumber } from "../decode/value-type.ts";
import type { AwsEc2Target } from "../types.ts";
import { machineTable } from "./machine.ts";

const LARGEST_INT32 = 2_147_483_647;
const LARGEST_USER_DATA = 16_384;

const word = refined(text, "string", (given) =>
  given.trim() === "" ? no("It must not be empty.") : ok(given),
);

const userData = refined(text, "string", (given) => {
  const bytes = Buffer.byteLength(given);
  if (bytes <= LARGEST_USER_DATA) return ok(given);
  return no(`EC2 takes at most ${LARGEST_USER_DATA} bytes of user data, and these are ${bytes}.`);
});

const url = refined(text, "URL", (given) =>
  /^https?:\/\/[^/]/.test(given) && URL.canParse(given)
    ? ok(given)
    : no('A URL is needed, such as "https://ec2.example.com" or "http://127.0.0.1:4566".'),
);

const VOLUME_ID = /^vol-[0-9a-z]+$/i;

/** `ebs_block_device { … }` */
export const ebsBlockDeviceTable = {
  deviceName: required(
    "device_name",
    word,
    "name of the device, such as `/dev/xvda` for the root volume of many images.",
  ),
  deleteOnTermination: optional(
    "delete_on_termination",
    boolean,
    "whether the volume goes away with the machine.",
  ),
  encrypted: optional("encrypted", boolean, "whether the volume is encrypted."),
  kmsKeyId: optional("kms_key_id", text, "KMS key to encrypt it with."),
  snapshotId: optional("snapshot_id", text, "snapshot it is made from."),
  volumeSize: optional("volume_size", wholeNumber(1, LARGEST_INT32), "size in GiB."),
  volumeType: optional("volume_type", text, "`gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`."),
  iops: optional(
    "iops",
    wholeNumber(0, LARGEST_INT32),
    "I/O operations per second; needed with `io1` and `io2`.",
  ),
};

/** `attach_volume { … }` */
export const attachVolumeTable = {
  deviceName: required("device_name", word, "name of the device, such as `/dev/sdf`."),
  volumeId: required("volume_id", text, "the volume. It must be in the zone that the machine starts in."),
};

/** `placement { … }` */
export const placementTable = {
  availabilityZone: optional("availability_zone", text, "zone to start in, such as `us-west-2d`."),
};

/** `target "…" "aws_ec2" { … }` */
export const awsEc2Table = {
  imageId: required(
    "image_id",
    word,
    "the AMI to start, or `resolve:ssm:` and the name of an SSM parameter that holds its id.",
  ),
  instanceType: required("instance_type", word, "type of the instance, such as `t4g.nano`."),
  keyName: required("key_name", word, "name of the EC2 key pair."),
  subnetId: optional("subnet_id", text, "subnet to start in; it decides the zone."),
  userData: optional(
    "user_data",
    userData,
    "user data, at most 16384 bytes, as plain text: it is encoded for EC2.",
    {
      sensitive: true,
    },
  ),
  iamInstanceProfile: optional("iam_instance_profile", text, "name or ARN of the instance profile."),
  profile: optional(
    "profile",
    text,
    "profile of the local AWS configuration. Default: what the AWS SDK chooses.",
  ),
  region: optional("region", text, "AWS region. Default: what the AWS SDK chooses."),
  endpoint: optional("endpoint", url, "URL of another cloud that speaks the EC2 API. Default: AWS."),
  address: optional(
    "address",
    oneOf("public", "private", "ipv6"),
    "which address of the instance is connected to. Default: the public one, or the private one if it has no public one.",
  ),
  ...machineTable,
  ebsBlockDevices: blocks("ebs_block_device", ebsBlockDeviceTable, "a volume that is made with the machine."),
  placement: blocks("placement", placementTable, "where the machine starts.", 1),
  attachVolumes: blocks(
    "attach_volume",
    attachVolumeTable,
    "a volume of yours that is attached while the machine runs and outlives it.",
  ),
};

type Ec2Section = Section<typeof awsEc2Table>;

export function awsEc2Target(name: string, { values }: Ec2Section): AwsEc2Target {
  const { placement, ebsBlockDevices, attachVolumes, ...plain } = values;
  return {
    type: "aws_ec2",
    name,
    ...plain,
    availabilityZone: placement[0]?.values.availabilityZone,
    ebsBlockDevices: ebsBlockDevices.map((device) => device.values),
    attachVolumes: attachVolumes.map((volume) => volume.values),
  };
}

/**
 * What is wrong though each argument by itself is right. Only warnings: the older program loaded such a file, and left it
 * to EC2 to refuse it.
 */
export function checkAwsEc2(section: Ec2Section, decoder: Decoder): void {
  const { values } = section;
  if (!values.shared && values.lingerMs > 0) {
    decoder.warning(
      section.span("lingerMs"),
      "Argument without effect",
      '"linger" has no effect with shared = false: a machine of one connection ends with it.',
    );
  }
  if (
    values.attachVolumes[0] &&
    values.placement[0]?.values.availabilityZone === undefined &&
    values.subnetId === undefined
  ) {
    decoder.warning(
      values.attachVolumes[0].header,
      "The machine may start in another zone than its volume",
      'A volume can only be attached within its zone. Add placement { availability_zone = "…" } or a subnet_id.',
    );
  }
  for (const device of values.ebsBlockDevices) {
    const { volumeType, iops } = device.values;
    if ((volumeType === "io1" || volumeType === "io2") && iops === undefined) {
      decoder.warning(
        device.span("volumeType"),
        "Missing argument",
        `A volume of type "${volumeType}" needs the argument "iops".`,
      );
    }
  }
  for (const volume of values.attachVolumes) {
    if (!VOLUME_ID.test(volume.values.volumeId)) {
      decoder.warning(
        volume.span("volumeId"),
        "Not the id of a volume",
        'The id of an EBS volume is needed, such as "vol-0123456789abcdef0".',
      );
    }
  }
  const seen = new Set<string>();
  for (const device of [...values.ebsBlockDevices, ...values.attachVolumes]) {
    const { deviceName } = device.values;
    if (seen.has(deviceName)) {
      decoder.warning(
        device.span("deviceName"),
        "Duplicate device name",
        "Another volume of this target has the same device name.",
      );
    }
    seen.add(deviceName);
  }
}
