import type { Cloud } from "./cloud.ts";
import { Ec2Error } from "./error.ts";
import type { NoticeCode, SpotOrder, SpotRequest, SpotStatus } from "./spot-state.ts";
import type { Instance, StateReason } from "./state.ts";

/** Why an instance ended that EC2 took back. */
export const BY_SPOT: StateReason = {
  code: "Server.SpotInstanceTermination",
  message: "Server.SpotInstanceTermination: Spot instance termination",
};

type Words = Omit<SpotStatus, "at">;

const FULFILLED: Words = {
  state: "active",
  code: "fulfilled",
  message: "Your spot request is fulfilled.",
};
const BY_USER: Words = {
  state: "closed",
  code: "instance-terminated-by-user",
  message: "Spot Instance terminated due to user-initiated termination.",
};
const BY_SERVICE: Words = {
  state: "cancelled",
  code: "instance-terminated-by-service",
  message: "Your Spot Instance was terminated by the service.",
};
const NO_CAPACITY: Words = {
  state: "closed",
  code: "instance-terminated-no-capacity",
  message:
    "Your Spot Instance was terminated because there is no Spot capacity available that matches your request.",
};
const MARKED: Words = {
  state: "active",
  code: "marked-for-termination",
  message: "Your Spot Instance is marked for termination.",
};

/** The request that has brought an instance: fulfilled from the start, as RunInstances answers or fails at once. */
export function openSpotRequest(
  cloud: Cloud,
  id: string,
  instanceId: string,
  { maxPrice, tags }: SpotOrder,
): void {
  const createTime = cloud.now();
  const history = [{ at: createTime, ...FULFILLED }];
  cloud.spotRequests.set(id, { id, instanceId, maxPrice, createTime, tags: { ...tags }, history });
  cloud.touch();
}

/** EC2 says that it will take the instance back. */
export function markSpotRequest(cloud: Cloud, instance: Instance, code: NoticeCode): void {
  enter(cloud, requestOf(cloud, instance), code === MARKED.code ? MARKED : NO_CAPACITY);
}

/** The instance ends, for the reason given; its request ends with it. Harmless for one that is not of the spot market. */
export function closeSpotRequest(cloud: Cloud, instance: Instance, reason: StateReason | undefined): void {
  const request = requestOf(cloud, instance);
  if (request === undefined || currentStatus(request).state !== "active") return;
  const isOurs = reason?.code.startsWith("Server.") === false;
  enter(cloud, request, isOurs ? BY_USER : reason?.code === BY_SPOT.code ? NO_CAPACITY : BY_SERVICE);
}

export function currentStatus(request: SpotRequest): SpotStatus {
  const last = request.history.at(-1);
  if (last === undefined) throw new Error(`spot request ${request.id} has no history`);
  return last;
}

/** @throws Ec2Error `InvalidSpotInstanceRequestID.Malformed` or `InvalidSpotInstanceRequestID.NotFound`. */
export function findSpotRequest(cloud: Cloud, id: string, lagMs: number): SpotRequest {
  if (!/^sir-[0-9a-z]{8}$/.test(id)) {
    throw new Ec2Error("InvalidSpotInstanceRequestID.Malformed", `Invalid id: "${id}"`);
  }
  const request = cloud.spotRequests.get(id);
  if (request === undefined || request.createTime > cloud.now() - lagMs) {
    throw new Ec2Error(
      "InvalidSpotInstanceRequestID.NotFound",
      `The spot instance request ID '${id}' does not exist`,
    );
  }
  return request;
}

function requestOf(cloud: Cloud, { spotRequestId }: Instance): SpotRequest | undefined {
  return spotRequestId === undefined ? undefined : cloud.spotRequests.get(spotRequestId);
}

function enter(cloud: Cloud, request: SpotRequest | undefined, words: Words): void {
  if (request === undefined) return;
  request.history.push({ at: cloud.now(), ...words });
  const { id, instanceId: instance } = request;
  cloud.emit({ type: "spot.status", request: id, instance, state: words.state, code: words.code });
}
