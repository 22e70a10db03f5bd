import type { Reader } from "../protocol.ts";

/** What a client asks of its session (RFC 4254 §6). */
export type SessionRequest =
  | { readonly kind: "pty" | "env" | "window" | "shell" | "other" }
  | { readonly kind: "exec"; readonly command: string }
  | { readonly kind: "subsystem"; readonly name: string }
  | { readonly kind: "signal"; readonly name: string };

/** @throws ProtocolError when a field is missing. */
export function readRequest(type: string, fields: Reader): SessionRequest {
  switch (type) {
    case "pty-req":
      fields.string();
      size(fields);
      fields.string();
      return { kind: "pty" };
    case "window-change":
      size(fields);
      return { kind: "window" };
    case "env":
      fields.string();
      fields.string();
      return { kind: "env" };
    case "shell":
      return { kind: "shell" };
    case "exec":
      return { kind: "exec", command: fields.text() };
    case "subsystem":
      return { kind: "subsystem", name: fields.text() };
    case "signal":
      return { kind: "signal", name: fields.text() };
    default:
      return { kind: "other" };
  }
}

/** Columns, rows, and both in pixels. */
function size(fields: Reader): void {
  for (let n = 0; n < 4; n++) fields.uint32();
}
