import { formatDuration } from "../util/duration.ts";

/** Costs and times as people read them. */

/**
 * What AWS lists for a GiB and month in us-east-1, US dollars, without I/O and throughput. Source: "Amazon EBS pricing".
 * Other regions differ by some tens of percent, so it is only ever shown as "about".
 */
const LIST_PRICES: ReadonlyMap<string, number> = new Map([
  ["sc1", 0.015],
  ["st1", 0.045],
  ["gp3", 0.08],
  ["gp2", 0.1],
  ["io1", 0.125],
  ["io2", 0.125],
  ["standard", 0.05],
]);

/** US dollars a month; undefined when the cloud does not say of what size and type it is, or the type is none of EBS. */
export function volumePrice(volume: {
  readonly type: string | undefined;
  readonly sizeGiB: number | undefined;
}): number | undefined {
  const price = LIST_PRICES.get(volume.type ?? "");
  return price === undefined || volume.sizeGiB === undefined ? undefined : price * volume.sizeGiB;
}

/** US dollars for machine time; undefined without a price. */
export function machineCost(ms: number, hourlyPrice: number | undefined): number | undefined {
  return hourlyPrice === undefined ? undefined : (ms / 3_600_000) * hourlyPrice;
}

export function dollars(amount: number): string {
  return amount > 0 && amount < 0.01 ? "less than $0.01" : `about $${amount.toFixed(2)}`;
}

/** To the second below a minute, above to the minute. */
export function roughly(ms: number): string {
  if (ms < 60_000) return `${Math.max(Math.floor(ms / 1_000), 0)} s`;
  return formatDuration(Math.floor(ms / 60_000) * 60_000);
}

export function ago(ms: number): string {
  return `${roughly(ms)} ago`;
}
