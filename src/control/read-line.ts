import type { Socket } from "node:net";
import { LazysshError } from "../util/errors.ts";

const LINE_FEED = 10;

/**
 * The first line that comes, without its end. What comes after it is read and thrown away, so that the end of the
 * connection is noticed.
 *
 * @throws LazysshError `BAD_REQUEST` when it is longer than `mostBytes`, or nothing comes; or the signal's reason.
 */
export function readLine(socket: Socket, mostBytes: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let parts: Buffer[] = [];
    let size = 0;
    const settle = (outcome: () => void) => {
      socket.off("data", onData).off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
      socket.resume();
      outcome();
    };
    const finish = () => {
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      settle(() => resolve(line));
    };
    const refuse = (why: string) => settle(() => reject(new LazysshError("BAD_REQUEST", why)));
    const onData = (chunk: Buffer) => {
      const end = chunk.indexOf(LINE_FEED);
      const part = end === -1 ? chunk : chunk.subarray(0, end);
      size += part.length;
      if (size > mostBytes) return refuse(`a request has at most ${mostBytes} bytes`);
      parts.push(part);
      if (end !== -1) finish();
    };
    const onEnd = () => (size > 0 ? finish() : refuse("nothing was asked"));
    const onAbort = () => settle(() => reject(signal.reason));
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("data", onData).once("end", onEnd);
  });
}
