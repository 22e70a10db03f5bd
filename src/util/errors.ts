/**
 * Stable names of what can go wrong, for logs, tests and programs that read them.
 * A code never changes its meaning; the message may be improved at any time.
 */
export type ErrorCode =
  | "CONFIG_INVALID"
  | "USAGE"
  | "UNKNOWN_TARGET"
  | "SHUTTING_DOWN"
  | "NO_CAPACITY"
  | "NOT_PERMITTED"
  | "CREDENTIALS"
  | "BAD_REQUEST"
  | "THROTTLED"
  | "CLOUD_UNREACHABLE"
  | "CLOUD_ERROR"
  | "MACHINE_NOT_FOUND"
  | "MACHINE_DIED"
  | "VOLUME_BUSY"
  | "VOLUME_MISMATCH"
  | "NO_ADDRESS"
  | "NOT_READY"
  | "NOT_SUPPORTED"
  | "BOOT_TIMEOUT"
  | "BOOT_CANCELLED"
  | "LIFETIME_OVER"
  | "ENDED_BY_HAND"
  | "IDLE_TIMEOUT"
  | "BUDGET_REACHED"
  | "LIMIT_REACHED"
  | "MACHINE_UNFIT"
  | "BEFORE_STOP_FAILED"
  | "CONNECT_FAILED"
  | "ZFS_FAILED"
  | "RESOURCE_SHORTAGE"
  | "INTERNAL";

/**
 * The one error type of the program. The message says what failed, on what, why, and what to do;
 * it is written to be shown to the person at the other end and never holds a secret.
 */
export class LazysshError extends Error {
  override readonly name = "LazysshError";
  readonly code: ErrorCode;
  /** Whether the same call may succeed when made again without anyone changing anything. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** What a caught value says, for a message or a log line; never throws. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "" && error.errors.length > 0) {
    return error.errors.map(messageOf).join("; ");
  }
  if (error instanceof Error) return error.message;
  try {
    return String(error);
  } catch {
    return "something that cannot be shown was thrown";
  }
}

/** A caught value as a {@link LazysshError}: itself when it is one, else wrapped as `INTERNAL`. */
export function asLazysshError(error: unknown, code: ErrorCode = "INTERNAL"): LazysshError {
  return error instanceof LazysshError ? error : new LazysshError(code, messageOf(error), { cause: error });
}
