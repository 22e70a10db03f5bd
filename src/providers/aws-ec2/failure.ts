import type { Redact } from "./redact.ts";

/** What can be read from a thrown value, whatever it is. */
export interface Failure {
  /** The EC2 error code, or the name of the error's class; "" when it says nothing. */
  readonly name: string;
  /** Redacted, on one line. */
  readonly message: string;
  /** Node's code of a socket, DNS or TLS error, of the error or of what caused it. */
  readonly systemCode: string | undefined;
  /** HTTP status, when there was an answer. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** Redacted. */
  readonly stack: string | undefined;
}

const DEEPEST_CAUSE = 5;
/** Names that say no more than "an error". */
const PLAIN_NAMES = new Set(["Error", "AggregateError", "Unknown", "UnknownError"]);

/** Reads a thrown value; never throws, even at one whose properties do. */
export function readFailure(thrown: unknown, redact: Redact): Failure {
  const name = redact(text(read(thrown, "name")) ?? "");
  const metadata = read(thrown, "$metadata");
  const status = read(metadata, "httpStatusCode") ?? read(read(thrown, "$response"), "statusCode");
  const stack = text(read(thrown, "stack"));
  return {
    name: PLAIN_NAMES.has(name) ? "" : name,
    message: redact(messageOf(thrown)),
    systemCode: systemCodeOf(thrown, 0),
    status: typeof status === "number" ? status : undefined,
    requestId: text(read(metadata, "requestId")),
    stack: stack
      ?.split("\n")
      .filter((line) => /^\s+at /.test(line))
      .join("\n"),
  };
}

/**
 * The failure as an `Error` to be kept as a cause. Not the thrown value itself: the SDK's errors carry the whole
 * answer, which may repeat the parameters, and loggers print every property of a cause.
 */
export function slimCause(failure: Failure): Error {
  const cause = new Error(failure.message);
  const name = failure.name || "Error";
  const details = {
    name,
    stack: `${name}: ${failure.message}\n${failure.stack ?? ""}`,
    ...(failure.status !== undefined && { status: failure.status }),
    ...(failure.requestId !== undefined && { requestId: failure.requestId }),
  };
  return Object.assign(cause, details);
}

function messageOf(thrown: unknown): string {
  const message = text(read(thrown, "message"));
  if (message) return message;
  const parts = read(thrown, "errors");
  // What node reports when each of a host's addresses refused: the reasons are one level down.
  if (Array.isArray(parts) && parts.length > 0) {
    return parts.map((part) => text(read(part, "message")) ?? "").join("; ");
  }
  try {
    return typeof thrown === "object" ? (text(read(thrown, "code")) ?? "no reason given") : String(thrown);
  } catch {
    return "no reason given";
  }
}

function systemCodeOf(thrown: unknown, depth: number): string | undefined {
  if (depth > DEEPEST_CAUSE || typeof thrown !== "object" || thrown === null) return undefined;
  const code = read(thrown, "code");
  return typeof code === "string" ? code : systemCodeOf(read(thrown, "cause"), depth + 1);
}

function read(from: unknown, key: string): unknown {
  if ((typeof from !== "object" && typeof from !== "function") || from === null) return undefined;
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
