import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { GONE } from "./temp.ts";

const run = promisify(execFile);

/** A key pair made by `ssh-keygen`, in the files it made. */
export interface KeyFiles {
  /** Path of the private key; the public one is beside it with `.pub`. */
  readonly path: string;
  readonly privateKey: string;
  /** As in authorized_keys: type, base64, comment. */
  readonly publicLine: string;
  readonly type: string;
  readonly blob: Buffer;
}

/** A folder for one test file, with everything that `ssh` reads and writes. */
export interface SshFolder extends AsyncDisposable {
  readonly path: string;
  key(name: string, type?: "ed25519" | "ecdsa" | "rsa", bits?: number): Promise<KeyFiles>;
  /** Writes an ssh_config and returns its path. Every entry also gets the defaults of {@link sshDefaults}. */
  config(hosts: Readonly<Record<string, Readonly<Record<string, string | number>>>>): Promise<string>;
  /** Lines `[host]:port type base64` of known servers; every entry of {@link config} reads them. */
  known(host: string, port: number, key: KeyFiles, alias?: string): Promise<void>;
}

export async function sshFolder(): Promise<SshFolder> {
  const path = await mkdtemp(join(tmpdir(), "lazyssh-test-"));
  const knownHosts = join(path, "known_hosts");
  await writeFile(knownHosts, "");
  let configs = 0;
  return {
    path,
    async key(name, type = "ed25519", bits) {
      const file = join(path, name);
      const size = bits === undefined ? [] : ["-b", String(bits)];
      await run("ssh-keygen", ["-q", "-t", type, ...size, "-N", "", "-C", name, "-f", file]);
      const publicLine = (await readFile(`${file}.pub`, "utf8")).trim();
      const [keyType = "", base64 = ""] = publicLine.split(" ");
      return {
        path: file,
        privateKey: await readFile(file, "utf8"),
        publicLine,
        type: keyType,
        blob: Buffer.from(base64, "base64"),
      };
    },
    async config(hosts) {
      const file = join(path, `config-${configs++}`);
      const entries = Object.entries(hosts).map(([host, options]) => {
        const lines = Object.entries({ ...options }).map(([name, value]) => `  ${name} ${value}`);
        return [`Host ${host}`, ...lines].join("\n");
      });
      const defaults = Object.entries({ ...sshDefaults, UserKnownHostsFile: knownHosts });
      const all = ["Host *", ...defaults.map(([name, value]) => `  ${name} ${value}`)];
      await writeFile(file, `${[...entries, ...all].join("\n")}\n`);
      return file;
    },
    async known(host, port, key, alias) {
      const where = port === 22 ? host : `[${host}]:${port}`;
      const line = `${alias ?? where} ${key.type} ${key.blob.toString("base64")}\n`;
      await writeFile(knownHosts, line, { flag: "a" });
    },
    async [Symbol.asyncDispose]() {
      await rm(path, GONE);
    },
  };
}

/** No prompt, no agent, nothing of the user's own configuration. */
const sshDefaults = {
  BatchMode: "yes",
  IdentitiesOnly: "yes",
  IdentityAgent: "none",
  PreferredAuthentications: "publickey",
  StrictHostKeyChecking: "yes",
  GlobalKnownHostsFile: "/dev/null",
  ConnectTimeout: 20,
  ControlMaster: "no",
} as const;

export interface SshResult {
  /** Exit status; undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A running `ssh`, or another program that speaks it. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when it has ended and its output was read. */
  readonly result: Promise<SshResult>;
  /** What it has printed so far. */
  stderr(): string;
  /**
   * Ends it: SIGTERM, and SIGKILL after two seconds, since the client of OpenSSH 9.2 misses a signal that comes while it looks after something
   * else, and then waits for its next byte. A master whose last session has just ended does so in one of thirty tries on a busy machine.
   */
  end(): Promise<SshResult>;
}

const DEADLINE_MS = 25_000;
const GRACE_MS = 2_000;

/** Starts a client. It is killed when the deadline passes, which rejects the result with what it had printed. */
export function startSsh(args: readonly string[], options: StartOptions = {}): Running {
  const { program = "ssh", deadlineMs = DEADLINE_MS } = options;
  const env = options.home === undefined ? process.env : { ...process.env, HOME: options.home };
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const stderr = (): string => Buffer.concat(err).toString();
  if (options.stdout !== "manual") child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  // A client that ends before it has read its input is judged by its exit, not by our pipe.
  child.stdin.on("error", () => undefined);
  if (options.input !== undefined) child.stdin.end(options.input);
  const toItsEnd = async (): Promise<SshResult> => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
      // A client of a master has given these to it, which keeps them open for as long as the other side runs.
      child.stdout.destroy();
      child.stderr.destroy();
    }, deadlineMs);
    try {
      const [code] = (await once(child, "close")) as [number | null];
      if (late) throw new Error(`${program} ${args.join(" ")} did not end in ${deadlineMs} ms:\n${stderr()}`);
      return { code: code ?? undefined, stdout: Buffer.concat(out), stderr: stderr() };
    } finally {
      clearTimeout(timer);
    }
  };
  const result = toItsEnd();
  // Some tests never look at it.
  result.catch(() => undefined);
  const end = async (): Promise<SshResult> => {
    child.kill();
    const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    try {
      return await result;
    } finally {
      clearTimeout(timer);
    }
  };
  return { child, result, stderr, end };
}

export interface StartOptions {
  /** Written to its input, which is then closed. Without it the input stays open. */
  readonly input?: string | Buffer;
  readonly program?: string;
  /** Home folder, for programs that keep their known hosts there. Default: the one of the tests. */
  readonly home?: string;
  readonly deadlineMs?: number;
  /** `manual`: the test reads `child.stdout` itself. */
  readonly stdout?: "manual";
}

/** Runs `ssh` to its end. Input is empty unless given. */
export function ssh(args: readonly string[], options: StartOptions = {}): Promise<SshResult> {
  return startSsh(args, { input: "", ...options }).result;
}
