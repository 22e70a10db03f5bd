import { join } from "node:path";
import { quote } from "../util/shell.ts";
import type { WorldKeys } from "./keys.ts";
import { writeAtomically } from "./store.ts";

export interface ClientFilesOptions {
  /** Where the jump server really listens. */
  readonly listenHost: string;
  readonly listenPort: number;
  /** Names of the configured targets, for `dev.json`. Default `["archiver"]`. */
  readonly targets?: readonly string[];
}

export interface ClientFacts extends ClientFilesOptions {
  readonly dir: string;
  readonly keys: WorldKeys;
  readonly guestPort: number;
  readonly endpoint: string;
  readonly configFile: string;
  readonly volumeId: string;
}

/**
 * Writes `ssh_config` and `known_hosts`, and then `dev.json`, whose appearance says that all is ready.
 *
 * @throws Error for a folder whose path ssh cannot be told.
 */
export async function writeClientFiles(facts: ClientFacts): Promise<void> {
  const { dir, keys } = facts;
  const knownHosts = join(dir, "known_hosts");
  await writeAtomically(
    knownHosts,
    `lazyssh ${bareKey(keys.jumpHost.public)}\narchiver ${bareKey(keys.archiverHost.public)}\n`,
  );
  await writeAtomically(join(dir, "ssh_config"), sshConfig(facts, knownHosts));
  const ready = {
    ec2_endpoint: facts.endpoint,
    listen: hostPort(facts.listenHost, facts.listenPort),
    config: facts.configFile,
    targets: facts.targets ?? ["archiver"],
    ssh_config: join(dir, "ssh_config"),
    volume: facts.volumeId,
    pid: process.pid,
  };
  await writeAtomically(join(dir, "dev.json"), `${JSON.stringify(ready, null, 2)}\n`);
}

function sshConfig(facts: ClientFacts, knownHosts: string): string {
  const { keys } = facts;
  return `# Written by lazyssh dev. Use: ssh -F ${facts.dir}/ssh_config archiver

Host lazyssh
  HostName ${dialable(facts.listenHost)}
  Port ${facts.listenPort}
  User jump
  HostKeyAlias lazyssh
  IdentityFile ${path(keys.jumpClient.path)}

Host archiver
  ${throughJump(facts.dir)}
  Port ${facts.guestPort}
  User root
  HostKeyAlias archiver
  IdentityFile ${path(keys.user.path)}

Host lazyssh archiver
  IdentitiesOnly yes
  PreferredAuthentications publickey
  StrictHostKeyChecking yes
  UserKnownHostsFile ${path(knownHosts)}
`;
}

/**
 * With ProxyJump, ssh passes its -F on to the login at the jump host, so that both entries may live in one file; but
 * it passes the path through a shell unquoted (seen in OpenSSH 9.2). A path that would not survive is given by hand.
 */
function throughJump(dir: string): string {
  const file = join(dir, "ssh_config");
  if (/^[\w@+=:,./-]+$/.test(file)) return "ProxyJump lazyssh";
  return `ProxyCommand ssh -F ${quote([file]).replaceAll("%", "%%")} -W [%h]:%p lazyssh`;
}

/** A path for ssh_config (ssh_config(5), TOKENS): quoted, with percent signs doubled. */
function path(text: string): string {
  if (/["\n\r]|\$\{/.test(text)) {
    throw new Error(
      `the folder of ${JSON.stringify(text)} cannot be named in an ssh config. Choose one without quotes, line ends and \${`,
    );
  }
  return `"${text.replaceAll("%", "%%").replaceAll("\\", "\\\\")}"`;
}

function bareKey(line: string): string {
  return line.split(" ").slice(0, 2).join(" ");
}

/** An address that means "every interface" is reached on loopback. */
function dialable(host: string): string {
  if (host === "" || host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function hostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
