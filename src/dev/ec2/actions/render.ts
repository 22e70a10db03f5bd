import { IMAGES, OWNER_ID, REGION, VPC_ID } from "../../cloud/region.ts";
import type { Attachment, Instance, InstanceState, StateChange, Tags, Volume } from "../../cloud/state.ts";
import { type XmlFields, xmlTime } from "../xml.ts";

const STATE_CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

/** Shape `InstanceState` of the API. */
export function renderState(name: InstanceState): XmlFields {
  return { code: STATE_CODES[name], name };
}

export function renderTags(tags: Tags): XmlFields[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

/** An instance as it was when a Describe looked. */
export interface SeenInstance {
  readonly instance: Instance;
  readonly change: StateChange;
  readonly tags: Tags;
  /** Those it held. */
  readonly volumes: readonly Volume[];
}

/** Shape `Instance`. */
export function renderInstance({ instance, change: seen, tags, volumes }: SeenInstance): XmlFields {
  const onNetwork = seen.state !== "terminated";
  const isOn = seen.state === "running" || seen.state === "shutting-down" || seen.state === "stopping";
  const isPublic = isOn && instance.hasPublicAddress;
  const name = instance.address.replaceAll(".", "-");
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: renderState(seen.state),
    privateDnsName: onNetwork ? `ip-${name}.${REGION}.compute.internal` : "",
    // Real names would have to resolve; an empty one is what an instance without public DNS has.
    dnsName: "",
    reason: seen.reason?.message ?? "",
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    instanceType: instance.instanceType,
    launchTime: xmlTime(instance.launchTime),
    placement: { availabilityZone: instance.zone, groupName: "", tenancy: "default" },
    monitoring: { state: "disabled" },
    subnetId: onNetwork ? instance.subnetId : undefined,
    vpcId: onNetwork ? VPC_ID : undefined,
    privateIpAddress: onNetwork ? instance.address : undefined,
    ipAddress: isPublic ? instance.address : undefined,
    groupSet: onNetwork ? instance.securityGroupIds.map((id) => ({ groupId: id, groupName: id })) : [],
    stateReason: seen.reason && { code: seen.reason.code, message: seen.reason.message },
    architecture: IMAGES.find(({ id }) => id === instance.imageId)?.architecture,
    rootDeviceType: "ebs",
    rootDeviceName: instance.rootDevice,
    blockDeviceMapping: onNetwork ? volumes.map(renderMapping) : [],
    virtualizationType: "hvm",
    hypervisor: "xen",
    clientToken: instance.clientToken ?? "",
    tagSet: renderTags(tags),
    iamInstanceProfile:
      instance.iamInstanceProfile === undefined
        ? undefined
        : { arn: `arn:aws:iam::${OWNER_ID}:instance-profile/${instance.iamInstanceProfile}`, id: "AIPADEV" },
    ebsOptimized: false,
    instanceLifecycle: instance.spotRequestId && "spot",
    spotInstanceRequestId: instance.spotRequestId,
    hibernationOptions: { configured: instance.hibernates },
    metadataOptions: { state: "applied", ...instance.metadataOptions },
  };
}

function renderMapping(volume: Volume): XmlFields {
  const { attachment } = volume;
  return {
    deviceName: attachment?.device,
    ebs: attachment && {
      volumeId: volume.id,
      status: attachment.state,
      attachTime: xmlTime(attachment.attachTime),
      deleteOnTermination: attachment.deleteOnTermination,
    },
  };
}

/** Shape `VolumeAttachment`. */
export function renderAttachment(volumeId: string, attachment: Attachment): XmlFields {
  return {
    volumeId,
    instanceId: attachment.instanceId,
    device: attachment.device,
    status: attachment.state,
    attachTime: xmlTime(attachment.attachTime),
    deleteOnTermination: attachment.deleteOnTermination,
  };
}

/** Shape `Volume`. */
export function renderVolume(volume: Volume): XmlFields {
  return {
    volumeId: volume.id,
    size: volume.size,
    snapshotId: volume.snapshotId ?? "",
    availabilityZone: volume.zone,
    status: volume.state,
    createTime: xmlTime(volume.createTime),
    attachmentSet: volume.attachment === undefined ? [] : [renderAttachment(volume.id, volume.attachment)],
    tagSet: renderTags(volume.tags),
    volumeType: volume.type,
    iops: volume.iops,
    throughput: volume.throughput,
    encrypted: volume.encrypted,
    kmsKeyId: volume.kmsKeyId,
    multiAttachEnabled: false,
  };
}
