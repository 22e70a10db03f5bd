import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Program, type ProgramOptions, startProgram } from "./program.ts";
import { type KeyFiles, type Running, type SshFolder, sshFolder, startSsh } from "./ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "./tcp.ts";
import { eventually } from "./world.ts";

/** The built program in front of a server that sends back what it gets. The target is called `here`. */
export interface Jump {
  readonly folder: SshFolder;
  readonly hostKey: KeyFiles;
  readonly clientKey: KeyFiles;
  readonly configFile: string;
  readonly stateDir: string;
  readonly target: TcpTarget;
  /** The text of a config file; what is given replaces or adds to attributes of the server block, as HCL. */
  text(server?: Readonly<Record<string, string>>, more?: string): string;
  start(options?: ProgramOptions): Program;
  /** Path of an ssh_config whose entry `lazyssh` leads to the program. */
  sshConfig(program: Program, options?: Readonly<Record<string, string | number>>): Promise<string>;
}

export const HERE = 'target "here" "forward" {\n  to = "127.0.0.1"\n}\n';

export async function jump(): Promise<Jump> {
  const folder = await sshFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const target = await tcpTarget(echo);
  onTestFinished(() => target[Symbol.asyncDispose]());
  const hostKey = await folder.key("host");
  const clientKey = await folder.key("client");
  const configFile = join(folder.path, "config.hcl");
  const stateDir = join(folder.path, "state");
  const text: Jump["text"] = (server = {}, more = HERE) => {
    const attributes = {
      listen: '"127.0.0.1:0"',
      host_key: `file(${JSON.stringify(hostKey.path)})`,
      authorized_key: JSON.stringify(clientKey.publicLine),
      ...server,
    };
    const lines = Object.entries(attributes).map(([name, value]) => `  ${name} = ${value}\n`);
    return `server {\n${lines.join("")}}\n${more}`;
  };
  writeFileSync(configFile, text());
  return {
    folder,
    hostKey,
    clientKey,
    configFile,
    stateDir,
    target,
    text,
    start(options) {
      const args = ["-c", configFile, "--state-dir", stateDir, "--log-level", "debug"];
      const program = startProgram(args, options);
      onTestFinished(() => program[Symbol.asyncDispose]());
      return program;
    },
    async sshConfig(program, options = {}) {
      const port = Number((await program.logged("listening")).port);
      await folder.known("127.0.0.1", port, hostKey);
      const entry = { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: clientKey.path };
      return folder.config({ lazyssh: { ...entry, ...options } });
    },
  };
}

/** A client with a channel that is open, and that can be asked whether it still is. */
export interface OpenChannel {
  readonly running: Running;
  /** Sends bytes, and resolves when they have come back. */
  goesOn(bytes?: number): Promise<void>;
  /** The client leaves. */
  end(): Promise<void>;
}

export async function openChannel(
  config: string,
  to: string,
  args: readonly string[] = [],
): Promise<OpenChannel> {
  const running = startSsh(["-F", config, ...args, "-W", to, "lazyssh"], {
    stdout: "manual",
    deadlineMs: 60_000,
  });
  let received = 0;
  let sent = 0;
  running.child.stdout?.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  const goesOn = async (bytes = 64 * 1024): Promise<void> => {
    sent += bytes;
    running.child.stdin?.write(Buffer.alloc(bytes, "x"));
    await eventually(`${sent} bytes to come back`, () => {
      const { exitCode } = running.child;
      if (exitCode !== null) throw new Error(`the client ended with ${exitCode}: ${running.stderr()}`);
      return received === sent;
    });
  };
  await goesOn(1);
  return {
    running,
    goesOn,
    async end() {
      running.child.stdin?.end();
      await running.result;
    },
  };
}
