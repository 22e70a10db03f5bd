import { ProtocolError } from "./protocol.ts";

/** The version is left out on purpose; it would only help those who look for old ones. */
export const IDENT = Buffer.from("SSH-2.0-lazyssh");

/** Our identification line, which comes first of all (RFC 4253 §4.2). Whoever takes the connection sends it. */
export const GREETING = Buffer.concat([IDENT, Buffer.from("\r\n")]);

/** RFC 4253 §4.2: the line, CR LF included, has at most 255 characters. */
const LONGEST = 255;

/**
 * Collects a client's identification line, which may come in any number of pieces. A client may not send other lines
 * before it.
 */
export class IdentLine {
  #collected: Buffer = Buffer.alloc(0);

  /**
   * The line, with its line feed, and what came after it; undefined while it is incomplete.
   *
   * @throws ProtocolError when the client does not speak SSH 2.
   */
  take(chunk: Buffer): { readonly line: Buffer; readonly rest: Buffer } | undefined {
    const all = this.#collected.length === 0 ? chunk : Buffer.concat([this.#collected, chunk]);
    const end = all.subarray(0, LONGEST).indexOf(10);
    const start = all.toString("latin1", 0, Math.min(8, end === -1 ? all.length : end));
    if (!"SSH-2.0-".startsWith(start) && !"SSH-1.99-".startsWith(start)) {
      throw new ProtocolError("the client does not speak SSH 2.0");
    }
    if (end === -1) {
      if (all.length >= LONGEST) throw new ProtocolError("the client's identification line is too long");
      this.#collected = all;
      return undefined;
    }
    return { line: all.subarray(0, end + 1), rest: all.subarray(end + 1) };
  }
}
