import { LazysshError } from "../../util/errors.ts";
import type { Ran } from "../side.ts";

/** Why there is no connection. `jump`: the jump host was reached, and says why not; its words are in the message. */
export type SshFailureKind =
  | "host-key"
  | "denied"
  | "unresolved"
  | "jump"
  | "refused"
  | "timeout"
  | "unreachable"
  | "config"
  | "lost"
  | "other";

interface Known {
  readonly kind: SshFailureKind;
  readonly pattern: RegExp;
  /** What to do; undefined where the words say it. */
  readonly remedy: string | undefined;
  /** Whether it may pass by itself. */
  readonly passes: boolean;
}

/** The first that matches is told of: the innermost cause stands before what it brings about. */
const KNOWN: readonly Known[] = [
  {
    kind: "host-key",
    pattern: /host key verification failed|remote host identification has changed|host key is known for/i,
    remedy:
      "connect by hand once and compare the key, or put it into known_hosts; behind a jump host that makes a new machine for each start, give the machine a host key that stays",
    passes: false,
  },
  {
    kind: "config",
    pattern:
      /bad configuration option|(?:command-line|config\S*):? line \d+:|unsupported option|no argument after keyword|can't open user config/i,
    remedy: "correct the ssh config, or the options of the job",
    passes: false,
  },
  {
    kind: "denied",
    pattern:
      /permission denied \(|too many authentication failures|no supported authentication|incorrect passphrase/i,
    remedy: "nobody is there to be asked: give a key without passphrase (-i), or one that the agent holds",
    passes: false,
  },
  { kind: "jump", pattern: /open failed: /i, remedy: undefined, passes: true },
  {
    kind: "unresolved",
    pattern: /could not resolve hostname/i,
    remedy: "give its jump host (-J), or a Host entry in the ssh config (-F)",
    passes: false,
  },
  {
    kind: "refused",
    pattern: /connection refused/i,
    remedy: "nothing listens there: does it run?",
    passes: true,
  },
  { kind: "timeout", pattern: /timed out|timeout, server|not responding/i, remedy: undefined, passes: true },
  {
    kind: "unreachable",
    pattern: /no route to host|network is unreachable|network is down/i,
    remedy: undefined,
    passes: true,
  },
];

/** No connection, or no more. */
export class SshError extends LazysshError {
  readonly kind: SshFailureKind;

  constructor(kind: SshFailureKind, message: string, retryable: boolean) {
    super(kind === "lost" ? "MACHINE_DIED" : "CONNECT_FAILED", message, { retryable });
    this.kind = kind;
  }
}

/** What an `ssh` that has ended without a connection has printed, as an error. */
export function sshError(target: string, stderr: string, status: number | undefined): SshError {
  const known = KNOWN.find(({ pattern }) => pattern.test(stderr));
  const said = lines(stderr);
  const telling = known ? said.filter((line) => known.pattern.test(line)) : said.slice(-3);
  const words = unique(telling.length > 0 ? telling : said.slice(-3)).join("; ");
  const why = words === "" ? `ssh ended with status ${status ?? "unknown"} and said nothing` : words;
  const remedy = known?.remedy === undefined ? "" : ` (${known.remedy})`;
  return new SshError(
    known?.kind ?? "other",
    `cannot reach ${target} by ssh: ${why}${remedy}`,
    known?.passes ?? true,
  );
}

/** A connection that was there has ended. */
export function lostError(target: string, stderr: string): SshError {
  const last =
    lines(stderr).at(-1) ??
    "ssh ended and said nothing, as it also does when a signal ends the command there";
  return new SshError("lost", `the connection to ${target} was lost: ${last}`, true);
}

/** Lines that only `ssh` itself prints. */
const OF_SSH =
  /^(?:ssh: |kex_exchange_identification: |Connection (?:closed|reset|timed out)|Connection to .* (?:closed|timed out)|client_loop: |mux_client|Timeout, server|Host key verification failed|.*: Permission denied \(|ssh_dispatch_run_fatal: |channel \d+: open failed|stdio forwarding failed|Control(?:Socket|Path)? |Session open refused|packet_write_wait: |Connection refused|Write failed: )/im;

/**
 * Whether it was the connection that failed, not the command: `ssh` tells by 255, which `zfs` may end with as well. Then it has said why,
 * and `ssh` has not.
 */
export function connectionFailed(ran: Pick<Ran, "status" | "stderr">): boolean {
  return ran.status === 255 && (ran.stderr.trim() === "" || OF_SSH.test(ran.stderr));
}

function lines(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function unique(all: readonly string[]): string[] {
  return [...new Set(all)];
}
