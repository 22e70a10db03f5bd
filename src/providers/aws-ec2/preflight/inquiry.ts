import type { AwsEc2Target } from "../../../config/types.ts";
import { asLazysshError, type LazysshError } from "../../../util/errors.ts";
import type { Finding } from "../../provider.ts";
import type { Ec2 } from "../client.ts";

export interface PreflightContext {
  readonly ec2: Ec2;
  readonly target: AwsEc2Target;
  readonly owner: string;
  readonly alternatives: readonly AwsEc2Target[];
}

export type Answer<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: LazysshError };

/** One preflight: what is asked, and what has been found so far. */
export interface Inquiry extends PreflightContext {
  readonly signal: AbortSignal;
  add(...findings: readonly Finding[]): void;
  /** Waits for what each start needs too: its failure is an error. */
  needed<T>(work: Promise<T>): Promise<Answer<T>>;
  /** Waits for what only this check needs: that it is not permitted is a warning. `what` completes "is not seen". */
  optional<T>(what: string, work: Promise<T>): Promise<Answer<T>>;
  /** Each once, in the order in which they were found. */
  findings(): Finding[];
}

export function createInquiry(context: PreflightContext, signal: AbortSignal): Inquiry {
  const found = new Map<string, Finding>();

  const add = (...findings: readonly Finding[]): void => {
    for (const finding of findings) if (!found.has(finding.text)) found.set(finding.text, finding);
  };

  const answerOf = async <T>(
    work: Promise<T>,
    judge: (error: LazysshError) => Finding,
  ): Promise<Answer<T>> => {
    try {
      return { value: await work };
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asLazysshError(thrown);
      add(judge(error));
      return { error };
    }
  };

  return {
    ...context,
    signal,
    add,
    needed: (work) => answerOf(work, ({ message }) => ({ severity: "error", text: message })),
    optional: (what, work) =>
      answerOf(work, ({ code, message }) =>
        code === "NOT_PERMITTED"
          ? { severity: "warning", text: `${message}; ${what} is not seen` }
          : { severity: "error", text: message },
      ),
    findings: () => [...found.values()],
  };
}
