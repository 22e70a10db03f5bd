import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World, WorldOptions } from "../../src/dev/index.ts";
import { type Program, startProgram } from "./program.ts";
import { eventually, startWorld } from "./world.ts";

type Instance = ReturnType<World["state"]>["instances"][number];

export interface SceneOptions {
  /** Attributes of target archiver, as HCL expressions; they replace the defaults below. */
  readonly target?: Readonly<Record<string, string>>;
  /** More attributes of the server block, as HCL expressions. */
  readonly server?: Readonly<Record<string, string>>;
  /** More blocks for the config file. */
  readonly more?: string;
  readonly volume?: boolean;
  readonly world?: Partial<WorldOptions>;
  /** Another address of the EC2 API than the world's own, say a relay's. */
  readonly endpoint?: (world: World) => Promise<string>;
  /** Starts the first jump host; the later ones are the program as it is. Default: the first is, too. */
  readonly first?: (configFile: string, stateDir: string) => Program;
}

/** A dev world, the real program serving it in a process of its own, and the real ssh to use them. */
export interface Scene extends AsyncDisposable {
  readonly world: World;
  readonly configFile: string;
  readonly stateDir: string;
  /** The jump host; another one after `restart`. */
  readonly jump: Program;
  readonly sshConfig: string;
  /** Starts a program with the same config and state, after the last one has ended. */
  restart(): Promise<Program>;
  /** Runs a client, by default `ssh -F … -J lazyssh archiver COMMAND`, to its end. */
  ssh(command: string, options?: ClientOptions): Promise<ClientResult>;
  start(command: string, args: readonly string[]): Client;
  running(): Instance[];
  volumeState(): string | undefined;
  calls(action: string): number;
  /** Resolves when no machine runs and the volume is free. */
  quiet(timeoutMs?: number): Promise<void>;
}

export interface ClientOptions {
  readonly input?: Buffer | string;
  readonly args?: readonly string[];
}

export interface ClientResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Client extends AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<ClientResult>;
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const { world, stop } = await startWorld(options.world);
  const configFile = join(world.dir, "test.hcl");
  const stateDir = join(world.dir, "jump-state");
  mkdirSync(stateDir, { recursive: true });
  const endpoint = (await options.endpoint?.(world)) ?? world.endpoint;
  writeFileSync(configFile, configText(world, endpoint, options), { mode: 0o600 });
  const programs: Program[] = [];
  const clients: Client[] = [];
  const first = (): Program | undefined =>
    programs.length === 0 ? options.first?.(configFile, stateDir) : undefined;
  const serve = async (): Promise<Program> => {
    const program =
      first() ?? startProgram(["-config", configFile, "--state-dir", stateDir, "--log-level", "debug"]);
    programs.push(program);
    const { host, port } = await program.logged("listening");
    await world.writeClientFiles({ listenHost: String(host), listenPort: Number(port) });
    return program;
  };
  const sshConfig = join(world.dir, "ssh_config");
  const start = (command: string, args: readonly string[]): Client => {
    const client = startClient(command, args);
    clients.push(client);
    return client;
  };
  const running = () => world.state().instances.filter(({ state }) => state !== "terminated");
  const volumeState = () => world.state().volumes.find(({ id }) => id === world.volumeId)?.state;
  try {
    await serve();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    world,
    configFile,
    stateDir,
    sshConfig,
    get jump() {
      const latest = programs.at(-1);
      if (!latest) throw new Error("no program was started");
      return latest;
    },
    restart: serve,
    start,
    async ssh(command, { input = "", args = ["-J", "lazyssh"] } = {}) {
      const client = start("ssh", ["-F", sshConfig, "-o", "BatchMode=yes", ...args, "archiver", command]);
      client.process.stdin.end(input);
      return client.ended;
    },
    running,
    volumeState,
    calls: (action) => world.state().calls[action] ?? 0,
    quiet: async (timeoutMs) => {
      await eventually(
        "no machine to run and the volume to be free",
        () => running().length === 0 && volumeState() === "available",
        timeoutMs,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
      for (const program of programs) await program[Symbol.asyncDispose]();
      await stop();
    },
  };
}

export function startClient(command: string, args: readonly string[]): Client {
  const child = spawn(command, args, { stdio: "pipe" });
  const out: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on("error", () => undefined); // a client that ends early does not read the rest
  const ended = new Promise<ClientResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout: Buffer.concat(out), stderr }));
  });
  return {
    process: child,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

function configText(
  world: World,
  endpoint: string,
  { target = {}, server = {}, more = "", volume = true }: SceneOptions,
): string {
  const { keys } = world;
  const attributes: Record<string, string> = {
    region: '"us-west-2"',
    endpoint: JSON.stringify(endpoint),
    image_id: '"ami-0123456789abcdef0"',
    instance_type: '"t4g.nano"',
    key_name: '"lazyssh-dev"',
    check_port: String(world.guestPort),
    ...target,
  };
  const hostKey = keys.archiverHost.private.trim().replaceAll("\n", "|");
  const lines = (of: Readonly<Record<string, string>>) =>
    Object.entries(of)
      .map(([name, value]) => `  ${name} = ${value}`)
      .join("\n");
  return `
server {
  listen = "127.0.0.1:0"
  host_key = <<EOF
${keys.jumpHost.private}
EOF
  authorized_key = "${keys.jumpClient.public}"
${lines(server)}
}
target "archiver" "aws_ec2" {
${lines(attributes)}
  user_data = <<EOF
SSH_HOST_ED25519_KEY:${hostKey}
SSH_HOST_ED25519_KEY_PUB:${keys.archiverHost.public}
EOF
  placement {
    availability_zone = "us-west-2d"
  }
${volume ? `  attach_volume {\n    device_name = "/dev/sdf"\n    volume_id   = "${world.volumeId}"\n  }` : ""}
}
${more}
`;
}
