import type { SshSettings } from "../../config/replicate.ts";
import { quote } from "../../util/shell.ts";

/** How one `ssh` is run, beside what the job says. */
export interface SshExtra {
  /** argv of what is run there. */
  readonly command: readonly string[];
  /** `-o` values that stand before those of the job: an `ssh` takes the first it is given. */
  readonly fixed?: readonly string[];
  /** `-o` values for what the job says nothing of. They win over the ssh config. */
  readonly defaults?: readonly string[];
  /** OpenSSH 8.7 or newer, whose config can make a session what would not work here; an older one refuses the options against it. */
  readonly since87?: boolean;
}

/**
 * What an ssh config may say for a person at a terminal, and what would break a stream, hang, or leave something behind: prompts,
 * forwards, agents, other commands, masters that are shared or go to the background.
 */
const ALWAYS = [
  "BatchMode=yes",
  "ClearAllForwardings=yes",
  "ControlPersist=no",
  "PermitLocalCommand=no",
  "RemoteCommand=none",
  "Tunnel=no",
];
const SINCE_87 = ["ForkAfterAuthentication=no", "SessionType=default", "StdinNull=no"];

/** A silent connection is given up after a minute and a half. */
const SERVER_ALIVE = ["ServerAliveInterval=30", "ServerAliveCountMax=3"];

/** The user's own `ssh`, with all that the job says of it; never with a terminal, never a shell. */
export function sshArgv(ssh: SshSettings, target: string, extra: SshExtra): string[] {
  const option = (value: string) => ["-o", value];
  const given = (flag: string, value: string | number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  return [
    ssh.program,
    ...given("-F", ssh.config),
    ...given("-i", ssh.identity),
    ...given("-J", ssh.jump),
    ...given("-p", ssh.port),
    ...given("-l", ssh.user),
    "-T",
    "-a",
    "-x",
    ...ALWAYS.flatMap(option),
    ...(extra.since87 ? SINCE_87.flatMap(option) : []),
    ...(extra.fixed ?? []).flatMap(option),
    ...ssh.options.flatMap(option),
    ...SERVER_ALIVE.flatMap(option),
    ...(extra.defaults ?? []).flatMap(option),
    "--",
    target,
    quote(extra.command),
  ];
}

/** Whether `ssh -V` tells of OpenSSH 8.7 or newer. */
export function isSince87(version: string): boolean {
  const [, major, minor] = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 100 + Number(minor) >= 807;
}
