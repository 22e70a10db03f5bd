import { Ec2Error } from "../../cloud/error.ts";
import type { SpotOrder } from "../../cloud/spot-state.ts";
import type { Params } from "../query.ts";
import { tagsFor } from "./tags.ts";

/**
 * What `InstanceMarketOptions` asks of the spot market; undefined for an order on demand.
 *
 * @throws Ec2Error for what EC2 refuses, and for persistent requests, which the dev world does not have.
 */
export function spotOrder(params: Params): SpotOrder | undefined {
  const market = params.struct("InstanceMarketOptions");
  if (market === undefined) return undefined;
  const type = market.choice("MarketType", ["spot"]);
  const options = market.struct("SpotOptions");
  if (type === undefined) {
    if (options === undefined) return undefined;
    throw new Ec2Error(
      "InvalidParameterCombination",
      "SpotOptions may only be specified with the market type spot",
    );
  }
  if (options?.choice("SpotInstanceType", ["one-time", "persistent"]) === "persistent") {
    throw new Ec2Error("UnsupportedOperation", "The dev world has no persistent Spot Instance requests.");
  }
  const behavior = options?.choice("InstanceInterruptionBehavior", ["hibernate", "stop", "terminate"]);
  if (behavior === "hibernate" || behavior === "stop") {
    throw new Ec2Error(
      "InvalidParameterCombination",
      `The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '${behavior}'.`,
    );
  }
  return { maxPrice: price(options?.text("MaxPrice")), tags: tagsFor(params, "spot-instances-request") };
}

function price(given: string | undefined): string | undefined {
  if (given === undefined || /^(?=.*[1-9])\d+(?:\.\d+)?$/.test(given)) return given;
  throw new Ec2Error("InvalidParameterValue", `Invalid value '${given}' for spotPrice.`);
}
