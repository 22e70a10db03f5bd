import { Ec2Error, missingParameter } from "../../cloud/error.ts";
import type { LaunchDevice, LaunchFaults, LaunchRequest } from "../../cloud/launch-request.ts";
import { IMAGE_PARAMETERS, IMAGES, LAUNCH_TEMPLATES, type LaunchTemplate } from "../../cloud/region.ts";
import type { MetadataOptions } from "../../cloud/state.ts";
import type { Params } from "../query.ts";
import { spotOrder } from "./spot-order.ts";
import { checkTagSpecifications, tagsFor } from "./tags.ts";

/** What the parameters of RunInstances ask for. @throws Ec2Error for what cannot be asked for. */
export function launchRequest(params: Params, faults: LaunchFaults = {}): LaunchRequest {
  checkTagSpecifications(params);
  const template = templateVersion(params);
  const imageId = imageIdOf(params.text("ImageId") ?? template?.imageId ?? params.required("ImageId"));
  const userData = params.text("UserData");
  return {
    imageId,
    instanceType: params.text("InstanceType") ?? template?.instanceType ?? "m1.small",
    minCount: count(params, "MinCount"),
    maxCount: count(params, "MaxCount"),
    keyName: params.text("KeyName") ?? template?.keyName,
    ...network(params),
    zone: params.struct("Placement")?.text("AvailabilityZone"),
    metadataOptions: metadataOptions(params.struct("MetadataOptions")),
    iamInstanceProfile: profileName(params),
    userData: userData === undefined ? undefined : decodeBase64(userData),
    spot: spotOrder(params),
    hibernates: params.struct("HibernationOptions")?.flag("Configured") ?? false,
    shutdownBehavior: params.choice("InstanceInitiatedShutdownBehavior", ["stop", "terminate"]) ?? "stop",
    terminationProtected: params.flag("DisableApiTermination") ?? false,
    devices: params.structs("BlockDeviceMapping").map((mapping) => launchDevice(mapping, imageId)),
    instanceTags: tagsFor(params, "instance"),
    volumeTags: tagsFor(params, "volume"),
    clientToken: params.text("ClientToken"),
    fingerprint: params.fingerprint(),
    ...faults,
  };
}

function count(params: Params, name: string): number {
  const given = params.integer(name);
  if (given === undefined) throw missingParameter(name);
  return given;
}

function templateVersion(params: Params): LaunchTemplate["versions"][number] | undefined {
  const asked = params.struct("LaunchTemplate");
  if (asked === undefined) return undefined;
  const [id, name] = [asked.text("LaunchTemplateId"), asked.text("LaunchTemplateName")];
  if ((id === undefined) === (name === undefined)) {
    throw new Ec2Error(
      "InvalidParameterCombination",
      "Specify either a launch template ID or a launch template name, and not both.",
    );
  }
  const template = LAUNCH_TEMPLATES.find((one) => one.id === id || one.name === name);
  if (template === undefined) {
    throw id === undefined
      ? new Ec2Error(
          "InvalidLaunchTemplateName.NotFoundException",
          `The specified launch template, with template name ${name}, does not exist.`,
        )
      : new Ec2Error(
          "InvalidLaunchTemplateId.NotFound",
          `The specified launch template, with template ID ${id}, does not exist.`,
        );
  }
  const wanted = asked.text("Version") ?? "$Default";
  const words: Readonly<Record<string, number>> = { $Default: 1, $Latest: template.versions.length };
  const version = template.versions[(words[wanted] ?? Number(wanted)) - 1];
  if (version === undefined) {
    throw new Ec2Error(
      "InvalidLaunchTemplateId.VersionNotFound",
      `Could not find the specified version ${wanted} for the launch template with ID ${template.id}.`,
    );
  }
  return version;
}

function imageIdOf(given: string): string {
  const parameter = /^resolve:ssm:(.*)$/s.exec(given)?.[1];
  if (parameter === undefined) return given;
  const id = IMAGE_PARAMETERS.get(parameter);
  if (id !== undefined) return id;
  throw new Ec2Error("InvalidParameterValue", `The SSM parameter '${parameter}' does not exist.`);
}

/** One interface, in which subnet and groups then are (EC2 API reference, RunInstances). */
function network(
  params: Params,
): Pick<LaunchRequest, "associatePublicIpAddress" | "securityGroupIds" | "subnetId"> {
  const [nic, ...others] = params.structs("NetworkInterface");
  const subnetId = params.text("SubnetId");
  const securityGroupIds = params.list("SecurityGroupId");
  if (nic === undefined) return { subnetId, securityGroupIds };
  const beside = subnetId === undefined ? "security groups" : "subnet ID";
  if (subnetId !== undefined || securityGroupIds.length > 0) {
    throw new Ec2Error(
      "InvalidParameterCombination",
      `Network interfaces and an instance-level ${beside} may not be specified on the same request`,
    );
  }
  const associatePublicIpAddress = nic.flag("AssociatePublicIpAddress");
  if (others.length > 0 && associatePublicIpAddress !== undefined) {
    throw new Ec2Error(
      "InvalidParameterCombination",
      "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.",
    );
  }
  if (nic.integer("DeviceIndex") !== 0) {
    throw new Ec2Error("InvalidParameterValue", "The first network interface needs the device index 0.");
  }
  return {
    associatePublicIpAddress,
    subnetId: nic.text("SubnetId"),
    securityGroupIds: nic.list("SecurityGroupId"),
  };
}

function metadataOptions(given: Params | undefined): Partial<MetadataOptions> {
  const httpTokens = given?.choice("HttpTokens", ["optional", "required"]);
  const httpPutResponseHopLimit = given?.integer("HttpPutResponseHopLimit");
  const httpEndpoint = given?.choice("HttpEndpoint", ["enabled", "disabled"]);
  const instanceMetadataTags = given?.choice("InstanceMetadataTags", ["enabled", "disabled"]);
  return {
    ...(httpTokens !== undefined && { httpTokens }),
    ...(httpPutResponseHopLimit !== undefined && { httpPutResponseHopLimit }),
    ...(httpEndpoint !== undefined && { httpEndpoint }),
    ...(instanceMetadataTags !== undefined && { instanceMetadataTags }),
  };
}

function launchDevice(mapping: Params, imageId: string): LaunchDevice {
  const device = mapping.required("DeviceName");
  const ebs = mapping.struct("Ebs");
  const image = IMAGES.find(({ id, rootDevice }) => id === imageId && rootDevice === device);
  const size = ebs?.integer("VolumeSize") ?? image?.rootSize;
  if (size === undefined) {
    throw new Ec2Error(
      "InvalidBlockDeviceMapping",
      `The device ${device} has neither a size nor a snapshot this account knows.`,
    );
  }
  return {
    device,
    size,
    type: ebs?.text("VolumeType") ?? "gp2",
    iops: ebs?.integer("Iops"),
    throughput: ebs?.integer("Throughput"),
    encrypted: ebs?.flag("Encrypted"),
    kmsKeyId: ebs?.text("KmsKeyId"),
    snapshotId: ebs?.text("SnapshotId"),
    deleteOnTermination: ebs?.flag("DeleteOnTermination") ?? true,
  };
}

function profileName(params: Params): string | undefined {
  const profile = params.struct("IamInstanceProfile");
  return profile?.text("Name") ?? profile?.text("Arn")?.split("/").at(-1);
}

function decodeBase64(text: string): string {
  if (!/^[A-Za-z0-9+/\s]*={0,2}$/.test(text)) {
    throw new Ec2Error("InvalidParameterValue", "Invalid BASE64 encoding of user data");
  }
  return Buffer.from(text, "base64").toString();
}
