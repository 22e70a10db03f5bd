import { Ec2Error } from "../../cloud/error.ts";
import { findInstance } from "../../cloud/lookup.ts";
import type { Instance, Volume } from "../../cloud/state.ts";
import type { ActionTable } from "../action.ts";
import type { Params } from "../query.ts";
import type { XmlFields } from "../xml.ts";

/** The attributes of an instance that matter to whoever starts and stops machines. */
const ATTRIBUTES: Readonly<Record<string, (instance: Instance) => XmlFields>> = {
  instanceType: ({ instanceType }) => ({ value: instanceType }),
  userData: ({ userData }) => ({ value: userData && Buffer.from(userData).toString("base64") }),
  disableApiTermination: ({ terminationProtected }) => ({ value: terminationProtected }),
  instanceInitiatedShutdownBehavior: ({ shutdownBehavior }) => ({ value: shutdownBehavior }),
};

export const attributeActions: ActionTable = {
  DescribeInstanceAttribute: (params, { cloud }) => {
    const instance = findInstance(cloud, params.required("InstanceId"));
    const name = params.required("Attribute");
    const read = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined;
    if (read === undefined) {
      throw new Ec2Error("InvalidParameterValue", `Value (${name}) for parameter attribute is invalid.`);
    }
    return { instanceId: instance.id, [name]: read(instance) };
  },
  ModifyInstanceAttribute: (params, { cloud }) => {
    const instance = findInstance(cloud, params.required("InstanceId"));
    const protect = params.struct("DisableApiTermination")?.flag("Value");
    const behavior = params
      .struct("InstanceInitiatedShutdownBehavior")
      ?.choice("Value", ["stop", "terminate"]);
    if (protect !== undefined) instance.terminationProtected = protect;
    if (behavior !== undefined) instance.shutdownBehavior = behavior;
    const attached = cloud.attachedTo(instance.id);
    modifyDevices(params, attached);
    for (const { id } of attached) cloud.remember(id);
    cloud.touch();
    return { return: true };
  },
};

function modifyDevices(params: Params, attached: readonly Volume[]): void {
  for (const mapping of params.structs("BlockDeviceMapping")) {
    const device = mapping.required("DeviceName");
    const value = mapping.struct("Ebs")?.flag("DeleteOnTermination");
    const attachment = attached.find((volume) => volume.attachment?.device === device)?.attachment;
    if (attachment === undefined) {
      throw new Ec2Error("InvalidInstanceAttributeValue", `No device is currently mapped at ${device}`);
    }
    if (value !== undefined) attachment.deleteOnTermination = value;
  }
}
