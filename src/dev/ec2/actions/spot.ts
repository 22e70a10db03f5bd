import type { Cloud } from "../../cloud/cloud.ts";
import { findSpotRequest } from "../../cloud/spot.ts";
import type { SpotRequest, SpotStatus } from "../../cloud/spot-state.ts";
import type { ActionTable } from "../action.ts";
import { applyFilters, paginate, tagField } from "../filter.ts";
import { type XmlFields, xmlTime } from "../xml.ts";
import { renderTags } from "./render.ts";

interface Seen {
  readonly request: SpotRequest;
  readonly status: SpotStatus;
}

export const spotActions: ActionTable = {
  DescribeSpotInstanceRequests: (params, { cloud, lagMs }) => {
    const ids = params.list("SpotInstanceRequestId");
    const requests =
      ids.length > 0 ? ids.map((id) => findSpotRequest(cloud, id, lagMs)) : [...cloud.spotRequests.values()];
    const seen = requests.flatMap((request): Seen[] => {
      const status = request.history.findLast(({ at }) => at <= cloud.now() - lagMs);
      return status === undefined ? [] : [{ request, status }];
    });
    const found = applyFilters(params, seen, (one, name) => spotField(cloud, one, name));
    const { items, nextToken } = paginate(params, found);
    return { spotInstanceRequestSet: items.map((one) => render(cloud, one)), nextToken };
  },
};

function spotField(
  cloud: Cloud,
  { request, status }: Seen,
  name: string,
): readonly (string | undefined)[] | undefined {
  switch (name) {
    case "spot-instance-request-id":
      return [request.id];
    case "instance-id":
      return [request.instanceId];
    case "state":
      return [status.state];
    case "status-code":
      return [status.code];
    case "spot-price":
      return [request.maxPrice];
    case "type":
      return ["one-time"];
    case "launched-availability-zone":
      return [cloud.instances.get(request.instanceId)?.zone];
    default:
      return tagField(request.tags, name);
  }
}

/** Shape `SpotInstanceRequest`. */
function render(cloud: Cloud, { request, status }: Seen): XmlFields {
  const instance = cloud.instances.get(request.instanceId);
  return {
    spotInstanceRequestId: request.id,
    spotPrice: request.maxPrice,
    type: "one-time",
    state: status.state,
    status: { code: status.code, updateTime: xmlTime(status.at), message: status.message },
    launchSpecification: instance && {
      imageId: instance.imageId,
      instanceType: instance.instanceType,
      keyName: instance.keyName,
      subnetId: instance.subnetId,
    },
    instanceId: request.instanceId,
    createTime: xmlTime(request.createTime),
    productDescription: "Linux/UNIX",
    launchedAvailabilityZone: instance?.zone,
    instanceInterruptionBehavior: "terminate",
    tagSet: renderTags(request.tags),
  };
}
