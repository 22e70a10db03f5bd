import { type ErrorCode, LazysshError } from "../util/errors.ts";

/** Name of the socket in the state directory. */
export const CONTROL_SOCKET = "control";

/**
 * What is said on the control socket: one request a connection, as a line of JSON, and lines of JSON back:
 * `{"waiting":"…"}` any number of times, and then `{"ok":…}` or `{"error":{"code":"…","message":"…"}}`.
 */
export type Request =
  | { readonly do: "status"; readonly volumes: boolean }
  | {
      readonly do: "start";
      readonly target: string;
      readonly forMs: number | undefined;
      readonly lift: boolean;
    }
  | { readonly do: "stop"; readonly target: string; readonly cut: boolean };

export type Answer =
  | { readonly waiting: string }
  | { readonly ok: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

/**
 * A request as a client wrote it. What is not known is passed over, so that newer clients can say more.
 *
 * @throws LazysshError `BAD_REQUEST`
 */
export function parseRequest(line: string): Request {
  const said = parseObject(line);
  switch (said.do) {
    case "status":
      return { do: "status", volumes: flag(said, "volumes", true) };
    case "start":
      return { do: "start", target: target(said), forMs: duration(said), lift: flag(said, "lift", false) };
    case "stop":
      return { do: "stop", target: target(said), cut: flag(said, "cut", false) };
    default:
      throw bad('"do" must be "status", "start" or "stop"');
  }
}

type Said = Readonly<Record<string, unknown>>;

function parseObject(line: string): Said {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    throw bad("it is no JSON");
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw bad("it is no object");
  return said as Said;
}

function target({ target: name }: Said): string {
  if (typeof name === "string") return name;
  throw bad('"target" must be the name of a target');
}

function duration({ forMs }: Said): number | undefined {
  if (forMs === undefined || forMs === null) return undefined;
  if (typeof forMs === "number" && Number.isFinite(forMs) && forMs > 0) return forMs;
  throw bad('"forMs" must be a number of milliseconds, more than 0');
}

function flag(said: Said, name: string, otherwise: boolean): boolean {
  const value = said[name] ?? otherwise;
  if (typeof value === "boolean") return value;
  throw bad(`"${name}" must be true or false`);
}

function bad(why: string): LazysshError {
  return new LazysshError(
    "BAD_REQUEST",
    `a request is one line such as {"do":"status"} or {"do":"start","target":"archiver"}: ${why}`,
  );
}
