import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/util/clock.ts";
import { startJumpHost } from "./jump-host.ts";
import type { Tree } from "./tree.ts";

/** A jump host to be measured. */
export interface Peer extends AsyncDisposable {
  readonly name: "lazyssh" | "sshd";
  readonly pid: number;
  readonly port: number;
}

/** Keys, and what a client needs to know of both jump hosts. */
export interface Keys extends Disposable {
  readonly dir: string;
  readonly user: string;
  /** Path of the client's private key. */
  readonly client: string;
  /** Options for `ssh`, but not its destination. `jump` is the user's name at the jump host. */
  readonly options: readonly string[];
}

export function makeKeys(): Keys {
  const dir = mkdtempSync(join(tmpdir(), "lazyssh-bench-"));
  for (const name of ["host", "client"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(dir, name)]);
  }
  const client = join(dir, "client");
  const options = {
    IdentityFile: client,
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    BatchMode: "yes",
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    GlobalKnownHostsFile: "/dev/null",
    LogLevel: "ERROR",
  };
  return {
    dir,
    user: process.env.USER ?? process.env.LOGNAME ?? "root",
    client,
    options: [
      "-F",
      "/dev/null",
      ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
    ],
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A config for lazyssh beside the keys, with a state directory of its own. Answers its path. */
export function writeConfig(keys: Keys, name: string, targets: string, workers = 0): string {
  const config = join(keys.dir, `${name}.hcl`);
  const server = `server {
  listen = "127.0.0.1:0"
  host_key = file("host")
  authorized_key = file("client.pub")
  state_dir = "${join(keys.dir, `${name}-state`)}"
  workers = ${workers}
}
`;
  writeFileSync(config, server + targets, { mode: 0o600 });
  return config;
}

/** lazyssh with one `forward` target to this machine, called `127.0.0.1` as sshd would have it. */
export async function startLazyssh(
  keys: Keys,
  tree: Tree,
  workers: number,
): Promise<Peer & { readonly startMs: number }> {
  const targets = 'target "127.0.0.1" "forward" {\n  to = "127.0.0.1"\n}\n';
  const config = writeConfig(keys, "config", targets, workers);
  const jump = await startJumpHost(config, process.env, tree);
  return {
    name: "lazyssh",
    pid: jump.pid,
    port: jump.port,
    startMs: jump.startMs,
    [Symbol.asyncDispose]: () => jump[Symbol.asyncDispose](),
  };
}

/** Where Debian, Fedora and NixOS have it. It wants to be started by its full path. */
const SSHD = ["/usr/sbin/sshd", "/run/current-system/sw/bin/sshd", "/usr/bin/sshd"].find(isProgram);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * OpenSSH's sshd with its defaults, but for keys and limits that would be in the way.
 *
 * @throws Error with what to install when there is no sshd.
 */
export async function startSshd(keys: Keys, name = "sshd"): Promise<Peer> {
  if (SSHD === undefined) {
    throw new Error(
      "OpenSSH's sshd is measured beside lazyssh, and it is not here: apt-get install openssh-server",
    );
  }
  const port = await freePort();
  const config = join(keys.dir, `${name}_config`);
  writeFileSync(join(keys.dir, "authorized_keys"), readFileSync(`${keys.client}.pub`), { mode: 0o600 });
  writeFileSync(
    config,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${join(keys.dir, "host")}
PidFile none
AuthorizedKeysFile ${join(keys.dir, "authorized_keys")}
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 1000:100:1000
AllowTcpForwarding yes
`,
  );
  if (process.getuid?.() === 0) execFileSync("mkdir", ["-p", "/run/sshd"]);
  const child = spawn(SSHD, ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  const said: string[] = [];
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  await Promise.race([
    answers(port),
    once(child, "exit").then(() => Promise.reject(new Error(`sshd ended: ${said.join("")}`))),
  ]);
  return { name: "sshd", pid: child.pid ?? 0, port, [Symbol.asyncDispose]: () => end(child) };
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

async function answers(port: number): Promise<void> {
  for (const until = Date.now() + 10_000; ; ) {
    const socket = connect(port, "127.0.0.1");
    const ok = await new Promise<boolean>((resolve) => {
      socket.once("data", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (ok) return;
    if (Date.now() > until) throw new Error("sshd does not answer");
    await systemClock.sleep(20);
  }
}
