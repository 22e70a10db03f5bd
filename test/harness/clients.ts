import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type JumpHost, KEY_TYPES, type KeyType } from "./jump-host.ts";
import { type Need, openSsh10, PYTHON, pythonModule } from "./requires.ts";
import type { KeyFiles } from "./ssh.ts";

const run = promisify(execFile);

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Its home folder. */
  readonly home: string;
}

/** An SSH server behind target `archiver`. */
export interface Machine {
  readonly port: number;
  readonly hostKey: KeyFiles;
  readonly userKey: KeyFiles;
}

/** One of the SSH clients that people use, and what it takes to have it go through a jump host. */
export interface SshClient {
  readonly name: string;
  readonly needs: readonly [string | Need, ...(string | Need)[]];
  /** Types of keys for which it shows a certificate, if there is one beside the client's key: `KEY-cert.pub`. */
  readonly certificates: readonly KeyType[];
  /** Joins standard input and output to a port of a target. */
  pipe(jump: JumpHost, target: string, port: number): Promise<Command>;
  /** Logs in to an SSH server behind the jump host and runs a command there. */
  run(jump: JumpHost, machine: Machine, command: string): Promise<Command>;
  /** What it prints when a channel is refused with this text: not every client shows the text. */
  refusal(text: string): string;
}

function openSsh(name: string, program: string, needs: SshClient["needs"]): SshClient {
  const entry = ({ port, clientKey }: JumpHost) => ({
    lazyssh: { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path },
  });
  return {
    name,
    needs,
    certificates: KEY_TYPES,
    pipe: async (jump, target, port) => ({
      program,
      args: ["-F", await jump.folder.config(entry(jump)), "-W", `${target}:${port}`, "lazyssh"],
      home: jump.folder.path,
    }),
    async run(jump, { port, userKey }, command) {
      const archiver = { User: "user", Port: port, IdentityFile: userKey.path, ProxyJump: "lazyssh" };
      const config = await jump.folder.config({ ...entry(jump), archiver });
      return { program, args: ["-F", config, "archiver", command], home: jump.folder.path };
    },
    refusal: (text) =>
      `channel 0: open failed: administratively prohibited: ${text}\r\nstdio forwarding failed\r\n`,
  };
}

/** A key in dropbear's own format. */
async function dropbearKey(key: KeyFiles): Promise<string> {
  const path = `${key.path}.dropbear`;
  if (!existsSync(path)) await run("dropbearconvert", ["openssh", "dropbear", key.path, path]);
  return path;
}

const dbclient: SshClient = {
  name: "dbclient",
  needs: ["dbclient", "dropbearconvert"],
  certificates: [],
  async pipe({ folder, clientKey, hostKey, port: at }, target, port) {
    const home = join(folder.path, "dropbear");
    await mkdir(join(home, ".ssh"), { recursive: true });
    // No port, and no comment.
    const known = `127.0.0.1 ${hostKey.publicLine.split(" ", 2).join(" ")}\n`;
    await writeFile(join(home, ".ssh", "known_hosts"), known);
    const through = ["-p", String(at), "-i", await dropbearKey(clientKey), "-B", `${target}:${port}`];
    return { program: "dbclient", args: ["-T", ...through, "jump@127.0.0.1"], home };
  },
  async run(jump, { port, userKey }, command) {
    const proxy = await dbclient.pipe(jump, "archiver", port);
    const through = [proxy.program, ...proxy.args].join(" ");
    // The host key that this is about is the other one.
    const at = ["-y", "-y", "-i", await dropbearKey(userKey), "-J", through, "user@archiver"];
    return { program: "dbclient", args: ["-T", ...at, command], home: proxy.home };
  },
  // Dropbear reads neither code nor text, and ends with 0.
  refusal: () => "Connection to jump@127.0.0.1:PORT closed.\n",
};

/** A key in PuTTY's own format. */
async function puttyKey(key: KeyFiles): Promise<string> {
  const path = `${key.path}.ppk`;
  if (existsSync(path)) return path;
  // It would write the new format over the old one.
  await copyFile(key.path, `${path}.pem`);
  await run("puttygen", [`${path}.pem`, "-O", "private", "-o", path]);
  return path;
}

async function fingerprint(key: KeyFiles): Promise<string> {
  const { stdout } = await run("ssh-keygen", ["-lf", `${key.path}.pub`]);
  return stdout.split(" ")[1] ?? "";
}

const plink: SshClient = {
  name: "plink",
  needs: ["plink", "puttygen"],
  certificates: KEY_TYPES,
  async pipe({ folder, clientKey, hostKey, port: at }, target, port) {
    const key = ["-i", await puttyKey(clientKey), "-hostkey", await fingerprint(hostKey)];
    const certificate = `${clientKey.path}-cert.pub`;
    if (existsSync(certificate)) key.push("-cert", certificate);
    const through = ["-P", String(at), ...key, "-nc", `${target}:${port}`, "jump@127.0.0.1"];
    return { program: "plink", args: ["-batch", "-noagent", ...through], home: folder.path };
  },
  async run(jump, { port, userKey, hostKey }, command) {
    const proxy = await plink.pipe(jump, "archiver", port);
    const through = [proxy.program, ...proxy.args].join(" ");
    const key = ["-i", await puttyKey(userKey), "-hostkey", await fingerprint(hostKey)];
    const at = [...key, "-proxycmd", through, "user@archiver", command];
    return { program: "plink", args: ["-batch", "-noagent", ...at], home: jump.folder.path };
  },
  refusal: (text) =>
    `FATAL ERROR: Server refused to open main channel: Administratively prohibited [${text}]\n`,
};

function python(
  module: string,
  { certificates, refusal }: Pick<SshClient, "certificates" | "refusal">,
): SshClient {
  const script = fileURLToPath(new URL(`../fixtures/through-${module}.py`, import.meta.url));
  const command = ({ folder, port, clientKey }: JumpHost, ...what: string[]): Promise<Command> => {
    const args = [script, String(port), clientKey.path, join(folder.path, "known_hosts"), ...what];
    return Promise.resolve({ program: PYTHON, args, home: folder.path });
  };
  return {
    name: module,
    needs: [pythonModule(module)],
    certificates,
    pipe: (jump, target, port) => command(jump, "pipe", target, String(port)),
    run: (jump, { port, userKey }, line) =>
      command(jump, "run", "archiver", String(port), userKey.path, line),
    refusal,
  };
}

const ten = openSsh10();

export const sshClients: readonly SshClient[] = [
  openSsh("OpenSSH", "ssh", ["ssh"]),
  openSsh("OpenSSH 10", ten.path, [ten]),
  dbclient,
  plink,
  python("asyncssh", {
    // With that of an RSA key it asks for SHA-1 (ssh-rsa-cert-v01@openssh.com), which sshd refuses as well.
    certificates: ["ed25519", "ecdsa"],
    refusal: (text) => `ChannelOpenError: ${text}\n`,
  }),
  python("paramiko", {
    certificates: KEY_TYPES,
    // The text goes to Python's log, which prints it unless told otherwise.
    refusal: (text) =>
      `Secsh channel 0 open FAILED: ${text}: Administratively prohibited\nChannelException: ChannelException(1, 'Administratively prohibited')\n`,
  }),
];
