import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../../src/providers/aws-ec2/provider.ts";
import { LazysshError } from "../../../../src/util/errors.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../../harness/scripted-ec2.ts";
import { targetWith } from "../../../harness/target.ts";
import {
  describeInstancesXml,
  describeVolumesXml,
  instanceXml,
  isolateSdk,
  never,
  sdf,
  sdg,
  tagsXml,
  volumeXml,
} from "../fixture.ts";

const dryRun = ec2Failure("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
const forbidden = ec2Failure(
  "UnauthorizedOperation",
  "You are not authorized to perform this operation.",
  403,
);

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
  ec2.on("DescribeInstances", describeInstancesXml([]));
  ec2.on("DescribeImages", imagesXml("available"));
  ec2.on("DescribeSpotInstanceRequests", ec2Success("DescribeSpotInstanceRequests", ""));
  ec2.on("DescribeVolumes", ({ params }) =>
    describeVolumesXml(volumeXml(params["VolumeId.1"] ?? "", "available", undefined, "us-west-2a")),
  );
  ec2.on("DescribeSubnets", ({ params }) => subnetXml(params["SubnetId.1"] ?? "", "us-west-2a"));
  ec2.on("RunInstances", dryRun);
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

function imagesXml(state: string): string {
  return ec2Success(
    "DescribeImages",
    `<imagesSet><item><imageId>ami-1</imageId><imageState>${state}</imageState></item></imagesSet>`,
  );
}

function subnetXml(id: string, zone: string, free = 100): string {
  const subnet = `<subnetId>${id}</subnetId><availabilityZone>${zone}</availabilityZone>
    <availableIpAddressCount>${free}</availableIpAddressCount>`;
  return ec2Success("DescribeSubnets", `<subnetSet><item>${subnet}</item></subnetSet>`);
}

const provider = (patch: Partial<AwsEc2Target> = {}) =>
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, ...patch }), { owner: "server-1" });
const preflight = (patch: Partial<AwsEc2Target> = {}) => provider(patch).preflight(never);
const actions = () => ec2.requests.map(({ action }) => action);
const template = { id: "lt-1", name: undefined, version: undefined };

const error = (text: string) => ({ severity: "error", text: expect.stringContaining(text) });
const warning = (text: string) => ({ severity: "warning", text: expect.stringContaining(text) });

describe("a target with which nothing is wrong", () => {
  const whole: Partial<AwsEc2Target> = {
    attachVolumes: [sdf, sdg],
    subnetIds: ["subnet-1", "subnet-2"],
    instanceTypes: ["t4g.nano", "t4g.small"],
    availabilityZone: "us-west-2a",
    spot: { maxPrice: undefined, fallback: "on-demand" },
  };

  test("has no findings, and each alternative is ordered with DryRun alone", async () => {
    expect(await preflight(whole)).toEqual([]);
    const orders = ec2.requests.filter(({ action }) => action === "RunInstances");
    expect(orders).toHaveLength(8);
    for (const { params } of orders) expect(params.DryRun).toBe("true");
    expect(new Set(orders.map(({ params }) => params.ClientToken)).size).toBe(8);
    expect(orders[0]?.params.ClientToken?.length).toBeLessThanOrEqual(64);
  });

  test("asks for no more than it has", async () => {
    expect(await preflight({ imageId: undefined, launchTemplate: template })).toEqual([]);
    expect(actions()).toEqual(["DescribeInstances", "RunInstances"]);
    expect(ec2.requests[1]?.params).not.toHaveProperty("ImageId");
  });

  test("has its image looked for as a start would", async () => {
    const image = { owners: ["self"], name: "backup-*", mostRecent: true };
    expect(await preflight({ imageId: undefined, image })).toEqual([]);
    expect(ec2.requests.at(-1)?.params.ImageId).toBe("ami-1");
  });

  test("may name its image by a parameter, which only an order can tell", async () => {
    expect(await preflight({ imageId: "resolve:ssm:/my/image" })).toEqual([]);
    expect(actions()).toEqual(["DescribeInstances", "RunInstances"]);
  });
});

describe("credentials", () => {
  test("that are of no use are one finding, and the end of it", async () => {
    ec2.on("DescribeInstances", ec2Failure("AuthFailure", "not able to validate", 401));
    expect(await preflight({ attachVolumes: [sdf] })).toEqual([
      error("credentials of the server are missing"),
    ]);
    expect(actions()).toEqual(["DescribeInstances"]);
  });

  test("that may do nothing are told each permission that a start needs, and what else is not checked", async () => {
    for (const action of ["DescribeInstances", "DescribeVolumes", "DescribeSubnets"])
      ec2.on(action, forbidden);
    for (const action of ["DescribeImages", "DescribeSpotInstanceRequests", "RunInstances"])
      ec2.on(action, forbidden);
    const findings = await preflight({
      attachVolumes: [sdf, sdg],
      subnetIds: ["subnet-1", "subnet-2"],
      spot: { maxPrice: undefined, fallback: "on-demand" },
    });
    expect(findings).toEqual([
      error("permission ec2:DescribeInstances"),
      error("permission ec2:DescribeVolumes"),
      warning("permission ec2:DescribeSubnets"),
      warning("permission ec2:DescribeSpotInstanceRequests"),
      warning("permission ec2:DescribeImages"),
      error("permission ec2:RunInstances"),
    ]);
    expect(findings[2]?.text).toContain("whether the subnets are in the right zones is not seen");
    expect(findings[3]?.text).toContain("that EC2 takes spot machines back is not seen");
    expect(findings[4]?.text).toContain("whether image ami-1 is available is not seen");
    expect(actions().filter((action) => action === "RunInstances")).toHaveLength(1);
  });

  test("that may not pass the role to the machine are told so", async () => {
    const said = "You are not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x";
    ec2.on("RunInstances", ec2Failure("UnauthorizedOperation", said, 403));
    expect(await preflight({ iamInstanceProfile: "x" })).toEqual([error("permission iam:PassRole")]);
  });

  test("that may not search for the image cannot start anything", async () => {
    ec2.on("DescribeImages", forbidden);
    const image = { owners: ["self"], name: "backup-*", mostRecent: true };
    expect(await preflight({ imageId: undefined, image })).toEqual([error("permission ec2:DescribeImages")]);
    expect(actions()).not.toContain("RunInstances");
  });
});

describe("volumes", () => {
  test("that do not exist are named, each", async () => {
    ec2.on("DescribeVolumes", ({ params }) =>
      params["VolumeId.1"] === "vol-1"
        ? ec2Failure("InvalidVolume.NotFound", "The volume 'vol-1' does not exist.")
        : describeVolumesXml(),
    );
    expect(await preflight({ attachVolumes: [sdf, sdg], subnetIds: ["subnet-1"] })).toEqual([
      error("vol-1"),
      error("volume vol-2 does not exist"),
    ]);
  });

  test("that something else holds are a warning with its name", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-2" })));
    expect(await preflight({ attachVolumes: [sdf], availabilityZone: "us-west-2a" })).toEqual([
      warning("vol-1 is in-use by i-2 (/dev/sdf); a start would wait"),
    ]);
  });

  test("that the target's own machine holds are as they should be", async () => {
    const own = tagsXml({ "lazyssh:owner": "server-1", "lazyssh:target": "archiver" });
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-2", "running", own)]));
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "in-use", { instance: "i-2" })));
    expect(await preflight({ attachVolumes: [sdf], availabilityZone: "us-west-2a" })).toEqual([]);
  });

  test("of no use are an error", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "error")));
    expect(await preflight({ attachVolumes: [sdf], availabilityZone: "us-west-2a" })).toEqual([
      error('"error"'),
    ]);
  });
});

describe("subnets", () => {
  test.each([
    ["refuses it", ec2Failure("InvalidSubnetID.NotFound", "The subnet ID 'subnet-2' does not exist")],
    ["leaves it out", ec2Success("DescribeSubnets", "<subnetSet/>")],
  ])("that do not exist are named, when the cloud %s", async (_, answer) => {
    ec2.on("DescribeSubnets", ({ params }) =>
      params["SubnetId.1"] === "subnet-2" ? answer : subnetXml("subnet-1", "us-west-2a"),
    );
    expect(await preflight({ subnetIds: ["subnet-1", "subnet-2"] })).toEqual([
      error("subnet subnet-2 does not exist"),
    ]);
  });

  test("without a free address are a warning", async () => {
    ec2.on("DescribeSubnets", subnetXml("subnet-1", "us-west-2a", 0));
    expect(await preflight({ subnetIds: ["subnet-1"] })).toEqual([warning("no free address left")]);
  });

  test("in another zone than the volume are named with both zones", async () => {
    ec2.on("DescribeSubnets", ({ params: { "SubnetId.1": id = "" } }) =>
      subnetXml(id, id === "subnet-2" ? "us-west-2d" : "us-west-2a"),
    );
    expect(await preflight({ attachVolumes: [sdf], subnetIds: ["subnet-1", "subnet-2"] })).toEqual([
      error(
        "volume vol-1 is in zone us-west-2a, subnet subnet-2 in us-west-2d; set subnet_id to one in us-west-2a",
      ),
    ]);
  });
});

describe("the image", () => {
  test("that does not exist is an error", async () => {
    ec2.on("DescribeImages", ec2Failure("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"));
    expect(await preflight()).toEqual([error("image ami-1 does not exist")]);
  });

  test.each([
    ["that is not listed", ec2Success("DescribeImages", "<imagesSet/>"), "is not listed"],
    ["that is not ready", imagesXml("pending"), 'is "pending"'],
  ])("%s is an error", async (_, answer, words) => {
    ec2.on("DescribeImages", answer);
    expect(await preflight()).toEqual([error(words)]);
  });
});

describe("an order", () => {
  test.each([
    ["InvalidKeyPair.NotFound", "error", "key pair operator does not exist"],
    ["InvalidParameterValue", "error", "in the cloud's words"],
    ["Unsupported", "warning", "no t4g.nano to be had"],
    ["VcpuLimitExceeded", "warning", "Service Quotas"],
  ])("that would be refused with %s is a finding, of severity %s", async (code, severity, words) => {
    ec2.on("RunInstances", ec2Failure(code, "in the cloud's words"));
    expect(await preflight()).toEqual([{ severity, text: expect.stringContaining(words) }]);
  });

  test("that one alternative cannot make does not hide the others", async () => {
    ec2.on("RunInstances", ({ params }) =>
      params.InstanceType === "t4g.nano" ? ec2Failure("Unsupported", "not in this zone") : dryRun,
    );
    expect(await preflight({ instanceTypes: ["t4g.nano", "t4g.small"] })).toEqual([warning("no t4g.nano")]);
    expect(actions().filter((action) => action === "RunInstances")).toHaveLength(2);
  });

  describe("that a cloud without DryRun takes for a real one", () => {
    beforeEach(() => {
      const instance = instanceXml("i-9", "pending");
      ec2.on("RunInstances", ec2Success("RunInstances", `<instancesSet>${instance}</instancesSet>`));
    });

    test("is ended at once, said, and not repeated", async () => {
      ec2.on("TerminateInstances", ec2Success("TerminateInstances", "<instancesSet/>"));
      expect(await preflight({ instanceTypes: ["t4g.nano", "t4g.small"] })).toEqual([
        warning("does not know DryRun and started i-9, which was ended at once"),
      ]);
      expect(actions().slice(-2)).toEqual(["RunInstances", "TerminateInstances"]);
      expect(ec2.requests.at(-1)?.params).toEqual({ "InstanceId.1": "i-9" });
    });

    test("and that cannot be ended is said with the command that does", async () => {
      ec2.on("TerminateInstances", forbidden);
      expect(await preflight()).toEqual([error("run aws ec2 terminate-instances --instance-ids i-9")]);
    });
  });
});

test("a cloud that breaks off in the middle is a finding, not a throw", async () => {
  ec2.on("DescribeVolumes", "drop");
  ec2.on("RunInstances", "drop");
  const findings = await preflight({ attachVolumes: [sdf], availabilityZone: "us-west-2a" });
  expect(findings.map(({ severity }) => severity)).toEqual(["error", "error"]);
});

test("an abort in the middle rejects with its reason", async () => {
  const reason = new LazysshError("USAGE", "interrupted");
  for (const action of ["DescribeVolumes", "RunInstances"]) {
    const controller = new AbortController();
    ec2.on(action, () => {
      controller.abort(reason);
      return "drop";
    });
    await expect(provider({ attachVolumes: [sdf] }).preflight(controller.signal)).rejects.toBe(reason);
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
  }
});
