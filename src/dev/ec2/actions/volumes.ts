import { Ec2Error } from "../../cloud/error.ts";
import { findVolume } from "../../cloud/lookup.ts";
import type { Volume } from "../../cloud/state.ts";
import { attachVolume, createVolume, deleteVolume, detachVolume } from "../../cloud/volumes.ts";
import type { ActionTable } from "../action.ts";
import { applyFilters, paginate, tagField } from "../filter.ts";
import { renderAttachment, renderVolume } from "./render.ts";
import { tagsFor } from "./tags.ts";

export const volumeActions: ActionTable = {
  DescribeVolumes: (params, { cloud, lagMs }) => {
    const ids = params.list("VolumeId");
    const volumes = ids.length > 0 ? ids.map((id) => findVolume(cloud, id, lagMs)) : cloud.volumesAt(lagMs);
    const { items, nextToken } = paginate(params, applyFilters(params, volumes, volumeField));
    return { volumeSet: items.map(renderVolume), nextToken };
  },
  CreateVolume: (params, { cloud }) => {
    const type = params.text("VolumeType") ?? "gp2";
    const size = params.integer("Size");
    if (size === undefined) {
      throw new Ec2Error("MissingParameter", "The request must contain the parameter size or snapshotId");
    }
    const volume = createVolume(cloud, {
      zone: params.required("AvailabilityZone"),
      size,
      type,
      iops: params.integer("Iops"),
      throughput: params.integer("Throughput"),
      encrypted: params.flag("Encrypted"),
      kmsKeyId: params.text("KmsKeyId"),
      snapshotId: params.text("SnapshotId"),
      tags: tagsFor(params, "volume"),
    });
    return renderVolume(volume);
  },
  DeleteVolume: (params, { cloud }) => {
    deleteVolume(cloud, params.required("VolumeId"));
    return { return: true };
  },
  AttachVolume: (params, { cloud, attachMs }) => {
    const volumeId = params.required("VolumeId");
    return renderAttachment(
      volumeId,
      attachVolume(cloud, volumeId, params.required("InstanceId"), params.required("Device"), attachMs),
    );
  },
  DetachVolume: (params, { cloud, detachMs }) => {
    const volumeId = params.required("VolumeId");
    return renderAttachment(volumeId, detachVolume(cloud, volumeId, params.text("InstanceId"), detachMs));
  },
};

function volumeField(volume: Volume, name: string): readonly (string | undefined)[] | undefined {
  const { attachment } = volume;
  switch (name) {
    case "volume-id":
      return [volume.id];
    case "status":
      return [volume.state];
    case "availability-zone":
      return [volume.zone];
    case "volume-type":
      return [volume.type];
    case "size":
      return [String(volume.size)];
    case "encrypted":
      return [String(volume.encrypted)];
    case "snapshot-id":
      return [volume.snapshotId];
    case "attachment.instance-id":
      return [attachment?.instanceId];
    case "attachment.device":
      return [attachment?.device];
    case "attachment.status":
      return [attachment?.state];
    case "attachment.delete-on-termination":
      return [attachment && String(attachment.deleteOnTermination)];
    default:
      return tagField(volume.tags, name);
  }
}
