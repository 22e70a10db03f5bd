import type { AwsEc2Target } from "../../config/types.ts";
import type { ErrorCode } from "../../util/errors.ts";
import type { Failure } from "./failure.ts";
import type { Redact } from "./redact.ts";

/** What was being done when it failed. */
export interface FailedCall {
  /** EC2 action, for example `RunInstances`. */
  readonly action: string;
  /** Where it was sent: `in region us-west-2`, or `at URL (region …)` for another cloud. */
  readonly place: string;
  readonly target: AwsEc2Target;
  readonly redact: Redact;
}

export interface Verdict {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** What is wrong and what to do, where we know better than the cloud's own words, which follow it. */
  readonly advice?: string;
}

export type Judge = (failure: Failure, call: FailedCall) => Verdict | undefined;

export const refuse = (code: ErrorCode, advice?: string): Verdict => ({
  code,
  retryable: false,
  ...(advice !== undefined && { advice }),
});

export const retry = (code: ErrorCode, advice?: string): Verdict => ({
  ...refuse(code, advice),
  retryable: true,
});
