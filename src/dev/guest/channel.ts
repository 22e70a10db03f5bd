import type { Writable } from "node:stream";
import type { ServerChannel } from "ssh2";

/** Resolves when all that was written so far has been put into packets; that may take as long as the client likes. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(Buffer.alloc(0), (error) => (error ? reject(error) : resolve()));
  });
}

/** How a process ended: a status, or the signal that killed it. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Sends exit-status or exit-signal (RFC 4254 §6.10), also when this side has sent EOF before. ssh2 1.17 drops the
 * message in that case, although only CLOSE forbids it; a process that closes its output and works on would then
 * look to the client as if it had failed. Hence the one look behind ssh2's public face.
 */
export function sendExit(channel: ServerChannel, end: ProcessEnd): void {
  const outgoing: unknown = channel.outgoing;
  const afterEof = hasState(outgoing) && outgoing.state === "eof";
  if (afterEof) outgoing.state = "open";
  if (end.signal === null) channel.exit(end.code ?? 255);
  else channel.exit(end.signal.replace(/^SIG/, ""), false, "");
  if (afterEof) outgoing.state = "eof";
}

function hasState(value: unknown): value is { state: unknown } {
  return typeof value === "object" && value !== null && "state" in value;
}
