import type { Tags } from "./state.ts";

/** What a RunInstances asks of the spot market; requests of the dev world are one-time. */
export interface SpotOrder {
  /** US dollars per hour, as the caller wrote it. Undefined: up to the on-demand price. */
  readonly maxPrice: string | undefined;
  readonly tags: Tags;
}

/** One step of a request's life (EC2 user guide, "State changes for a Spot request"). */
export interface SpotStatus {
  readonly at: number;
  readonly state: "active" | "closed" | "cancelled";
  /** As `fulfilled`, `instance-terminated-by-user`. */
  readonly code: string;
  readonly message: string;
}

/** The request behind one spot instance. */
export interface SpotRequest {
  readonly id: string;
  readonly instanceId: string;
  readonly maxPrice: string | undefined;
  readonly createTime: number;
  readonly tags: Tags;
  /** Never empty; the last one is now. */
  readonly history: SpotStatus[];
}

/**
 * How EC2 announces that it takes an instance back. For want of capacity the request has its last status at once,
 * while the instance runs on for its two minutes; else it is marked first.
 */
export const NOTICE_CODES = ["marked-for-termination", "instance-terminated-no-capacity"] as const;
export type NoticeCode = (typeof NOTICE_CODES)[number];
