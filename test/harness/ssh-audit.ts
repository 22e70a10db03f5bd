import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Need, openSsh10 } from "./requires.ts";
import type { SshFolder } from "./ssh.ts";
import { freePort } from "./tcp.ts";
import { eventually } from "./world.ts";

/** What ssh-audit says about a server. */
export interface Audit {
  /** Of ssh-audit. */
  readonly version: string;
  /** As it was printed, without what differs from run to run. */
  readonly text: string;
  /** Lines `algorithm: [level] finding`, of the levels warn and fail. */
  readonly findings: readonly string[];
}

/**
 * Of a server on this machine. The test whether many connections may be made is left out: it is said of sshd's defaults too, and
 * how many may is tested elsewhere.
 */
export async function sshAudit(port: number): Promise<Audit> {
  const version = /ssh-audit v([\d.]+)/.exec(await output(["--help"]))?.[1] ?? "unknown";
  const old = version.startsWith("2.");
  const options = ["-n", ...(old ? [] : ["--skip-rate-test"]), "-p", String(port)];
  const text = await output([...options, "127.0.0.1"]);
  return { version, text: text.replaceAll(/SHA256:\S+/g, "SHA256:…").trimEnd(), findings: findingsOf(text) };
}

/** What it prints: its exit code says how bad that is. */
function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile("ssh-audit", args, { timeout: 60_000 }, (_, stdout, stderr) => resolve(stdout || stderr));
  });
}

function findingsOf(text: string): readonly string[] {
  const findings: string[] = [];
  let algorithm = "";
  for (const line of text.split("\n")) {
    const [, name, , rest] = /^\((?:kex|key|enc|mac)\) (\S+)( .*?)?-- (.*)$/.exec(line) ?? [];
    if (name !== undefined) algorithm = name;
    const finding = rest ?? /^ +`- (.*)$/.exec(line)?.[1] ?? "";
    if (/^\[(warn|fail)\]/.test(finding)) findings.push(`${algorithm}: ${finding}`);
  }
  return findings;
}

/** The sshd that came with the OpenSSH 10 of the tests. */
export interface OpenSshd10 extends Need {
  readonly path: string;
  /** Where its own programs are. */
  readonly programs: string;
}

export function openSshd10(): OpenSshd10 {
  const ssh = openSsh10();
  const root = ssh.path.includes("/") ? dirname(dirname(ssh.path)) : "/usr";
  const path = join(root, "sbin/sshd");
  const programs = join(root, "lib/openssh");
  const name = "an sshd of OpenSSH 10 (beside the ssh in LAZYSSH_TEST_OPENSSH10)";
  return { name, path, programs, isHere: ssh.isHere && existsSync(path) };
}

/** An sshd with its defaults, except that one address may connect as often as it likes. */
export async function startSshd(
  { path, programs }: OpenSshd10,
  folder: SshFolder,
): Promise<AsyncDisposable & { readonly port: number }> {
  const keys = await Promise.all(
    (["ed25519", "rsa"] as const).map((type) => folder.key(`sshd-${type}`, type)),
  );
  const port = await freePort();
  const config = join(folder.path, "sshd_config");
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    ...keys.map((key) => `HostKey ${key.path}`),
    `SshdSessionPath ${join(programs, "sshd-session")}`,
    `SshdAuthPath ${join(programs, "sshd-auth")}`,
    `PidFile none`,
    "PerSourcePenalties no",
    "MaxStartups 100",
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  // Where the package's service would have made it.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const sshd = spawn(path, ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(sshd, "close");
  let said = "";
  sshd.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await eventually("sshd listens", () => {
    if (sshd.exitCode !== null) throw new Error(`sshd ended:\n${said}`);
    return said.includes("Server listening") || undefined;
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      sshd.kill();
      await ended;
    },
  };
}
