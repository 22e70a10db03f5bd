import type { Cloud } from "../cloud/cloud.ts";
import { Ec2Error, noCapacity } from "../cloud/error.ts";
import { chooseSubnet, type LaunchFaults } from "../cloud/launch-request.ts";
import { unknownInstances } from "../cloud/lookup.ts";
import { OWNER_ID } from "../cloud/region.ts";
import type { Fate, Instance } from "../cloud/state.ts";
import { launchRequest } from "./actions/launch-request.ts";
import type { FaultRule, Market } from "./fault-rules.ts";
import type { Params } from "./query.ts";

/** One call of the API. */
export interface Call {
  readonly action: string;
  readonly params: Params;
  readonly cloud: Cloud;
}

/** Whether a rule of the right action is about this call in particular. */
export function concerns(rule: FaultRule, call: Call): boolean {
  const { action, params } = call;
  switch (rule.kind) {
    case "capacity":
      return isOfOrder(rule, call);
    case "spot-price": {
      const maxPrice = action === "RunInstances" && orderOf(call)?.maxPrice;
      return typeof maxPrice === "string" && Number(maxPrice) < rule.price;
    }
    case "not-found":
      return namedInstances(call).some((id) => isYoung(call.cloud, id, rule.ms)) || lists(call);
    case "attach-delay":
      return action === "AttachVolume";
    case "detach-delay":
      return action === "DetachVolume" || action === "TerminateInstances";
    case "terminated-replay":
      return action === "RunInstances" && params.text("ClientToken") !== undefined;
    default:
      return true;
  }
}

/** The refusal that a rule answers a call with, before anything happens. */
export function refusalBy(rule: FaultRule | undefined, call: Call): Ec2Error | undefined {
  switch (rule?.kind) {
    case "error":
      return new Ec2Error(rule.code, rule.message ?? `Injected fault: ${rule.code}`, rule.status);
    case "throttle":
      return new Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503);
    case "deny":
      return denied(call.action);
    case "capacity":
      return call.action === "RunInstances" ? undefined : exhausted(call);
    case "not-found": {
      const unknown = namedInstances(call).filter((id) => isYoung(call.cloud, id, rule.ms));
      return unknown.length > 0 ? unknownInstances(unknown) : undefined;
    }
    default:
      return undefined;
  }
}

/** What a rule makes of the instance that the call launches, if it does. */
export function launchFaults(rule: FaultRule | undefined, call: Call): LaunchFaults {
  return {
    fate: fateOf(rule),
    refusal: launchRefusal(rule, call),
    replaysTerminated: rule?.kind === "terminated-replay",
  };
}

/** Whether a listing leaves an instance out. */
export function hides(rule: FaultRule | undefined, cloud: Cloud): (instance: Instance) => boolean {
  return ({ id }) => rule?.kind === "not-found" && isYoung(cloud, id, rule.ms);
}

/** An order that is sound, and answered before by its token: only then the market has a say. */
function launchRefusal(rule: FaultRule | undefined, call: Call): Ec2Error | undefined {
  if (call.action !== "RunInstances") return undefined;
  if (rule?.kind === "capacity") return exhausted(call);
  if (rule?.kind !== "spot-price") return undefined;
  return new Ec2Error(
    "SpotMaxPriceTooLow",
    `Your Spot request price of ${orderOf(call)?.maxPrice} is lower than the minimum required Spot request fulfillment price of ${rule.price}.`,
  );
}

function fateOf(rule: FaultRule | undefined): Fate {
  if (rule?.kind === "dies-pending") {
    const code = rule.code ?? "Server.InternalError";
    return {
      kind: "dies-pending",
      reason: { code, message: `${code}: ${rule.reason ?? "Internal error on launch"}` },
    };
  }
  if (rule?.kind === "never-opens" || rule?.kind === "silent") return { kind: rule.kind };
  return { kind: "normal" };
}

function denied(action: string): Ec2Error {
  const who = `arn:aws:iam::${OWNER_ID}:user/dev`;
  return new Ec2Error(
    "UnauthorizedOperation",
    `You are not authorized to perform this operation. User: ${who} is not authorized to perform: ec2:${action} because no identity-based policy allows the ec2:${action} action`,
    403,
  );
}

function exhausted(call: Call): Ec2Error {
  const order = orderOf(call);
  return noCapacity(order?.instanceType ?? "m1.small", order?.zone ?? "any zone", order?.market);
}

interface Order {
  readonly instanceType: string;
  readonly subnet: string;
  readonly zone: string;
  readonly market: Market;
  readonly maxPrice: string | undefined;
}

function isOfOrder(rule: FaultRule & { kind: "capacity" }, call: Call): boolean {
  const { instanceType, subnet, market } = rule;
  if (instanceType === undefined && subnet === undefined && market === undefined) return true;
  const order = orderOf(call);
  return (
    order !== undefined &&
    (instanceType ?? order.instanceType) === order.instanceType &&
    (subnet ?? order.subnet) === order.subnet &&
    (market ?? order.market) === order.market
  );
}

/** What RunInstances orders, or StartInstances orders again; undefined when the call is not sound. */
function orderOf({ action, params, cloud }: Call): Order | undefined {
  if (action === "StartInstances") {
    const instance = cloud.instances.get(params.list("InstanceId")[0] ?? "");
    if (instance === undefined) return undefined;
    const { instanceType, subnetId: subnet, zone } = instance;
    return { instanceType, subnet, zone, market: "on-demand", maxPrice: undefined };
  }
  if (action !== "RunInstances") return undefined;
  try {
    const request = launchRequest(params);
    const { id: subnet, zone } = chooseSubnet(cloud, request);
    const { instanceType, spot } = request;
    return { instanceType, subnet, zone, market: spot ? "spot" : "on-demand", maxPrice: spot?.maxPrice };
  } catch (error) {
    if (error instanceof Ec2Error) return undefined;
    throw error;
  }
}

function namedInstances({ params }: Call): string[] {
  const one = params.text("InstanceId");
  const tagged = params.list("ResourceId").filter((id) => id.startsWith("i-"));
  return [...(one === undefined ? [] : [one]), ...params.list("InstanceId"), ...tagged];
}

function lists(call: Call): boolean {
  return call.action.startsWith("DescribeInstance") && namedInstances(call).length === 0;
}

function isYoung(cloud: Cloud, id: string, ms = Number.POSITIVE_INFINITY): boolean {
  const launched = cloud.instances.get(id)?.history[0]?.at;
  return launched !== undefined && cloud.now() - launched < ms;
}
