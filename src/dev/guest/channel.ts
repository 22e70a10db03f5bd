import type { Writable } from "node:stream";
import type { ServerChannel, SFTPWrapper } from "ssh2";

/*
 * What ssh2 1.17 has no public way for, in one file: sending an exit status after EOF, and for the SFTP subsystem.
 * Both look behind its public face as little as can be, and the tests with real ssh and scp fail when that changes.
 */

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
 * Sends exit-status or exit-signal (RFC 4254 §6.10), also when this side has sent EOF before. ssh2 drops the message
 * in that case, although only CLOSE forbids it; a process that closes its output and works on would then look to the
 * client as if it had failed.
 */
export function sendExit(channel: ServerChannel, end: ProcessEnd): void {
  const outgoing: unknown = channel.outgoing;
  const afterEof = has(outgoing, "state") && outgoing.state === "eof";
  if (afterEof) outgoing.state = "open";
  if (end.signal === null) channel.exit(end.code ?? 255);
  else channel.exit(end.signal.replace(/^SIG/, ""), false, "");
  if (afterEof) outgoing.state = "eof";
}

/** Ends an SFTP session as sshd does, with exit status 0: scp takes its absence for a failure. */
export function endSftp(sftp: SFTPWrapper): void {
  const inside: unknown = sftp;
  if (
    has(inside, "outgoing") &&
    has(inside, "_protocol") &&
    has(inside.outgoing, "state") &&
    inside.outgoing.state === "open" &&
    has(inside.outgoing, "id") &&
    has(inside._protocol, "exitStatus") &&
    typeof inside._protocol.exitStatus === "function"
  ) {
    inside._protocol.exitStatus(inside.outgoing.id, 0);
  }
  sftp.end();
}

function has<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === "object" && value !== null && name in value;
}
