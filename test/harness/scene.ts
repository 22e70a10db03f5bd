import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World, WorldOptions } from "../../src/dev/index.ts";
import { type Program, startProgram } from "./program.ts";
import { eventually, startWorld } from "./world.ts";

type Instance = ReturnType<World["state"]>["instances"][number];

export interface ServerOptions {
  /** Attributes of the server block, as HCL expressions. */
  readonly server?: Readonly<Record<string, string>>;
  /** Attributes of target archiver, as HCL expressions; they replace the defaults below. */
  readonly target?: Readonly<Record<string, string>>;
  /** Blocks of target archiver. */
  readonly blocks?: string | ((world: World) => string);
  /** More blocks for the config file. */
  readonly more?: string | ((world: World) => string);
  readonly volume?: boolean;
  /** Another address of the EC2 API than the world's own, say a relay's. */
  readonly endpoint?: (world: World) => Promise<string>;
  /** Starts the first jump host; the later ones are the program as it is. Default: the first is, too. */
  readonly first?: (configFile: string, stateDir: string) => Program;
}

export interface SceneOptions extends ServerOptions {
  readonly world?: Partial<WorldOptions>;
}

/** The real program, in a process of its own, in front of a dev world, and the real ssh to use it. */
export interface Server {
  readonly configFile: string;
  readonly stateDir: string;
  /** The jump host; another one after `restart`. */
  readonly jump: Program;
  readonly sshConfig: string;
  /** Starts a program with the same config and state, after the last one has ended. */
  restart(): Promise<Program>;
  /** Runs a client, by default `ssh -F … -J lazyssh archiver COMMAND`, to its end. */
  ssh(command: string, options?: ClientOptions): Promise<ClientResult>;
  /** A client that has logged in and stays as long as the command runs, by default for ten minutes. */
  session(command?: string): Promise<Client>;
}

/** A dev world and a server of it. */
export interface Scene extends Server, AsyncDisposable {
  readonly world: World;
  /** Another server of the same world, with state, config and port of its own. */
  another(name: string, options?: ServerOptions): Promise<Server>;
  start(command: string, args: readonly string[]): Client;
  /** Throws one of the world's switches over HTTP, as `POST /_dev/…`. */
  befall(control: string, body?: unknown): Promise<void>;
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

export async function startScene({ world: worldOptions, ...options }: SceneOptions = {}): Promise<Scene> {
  const { world, stop } = await startWorld(worldOptions);
  const programs: Program[] = [];
  const clients: Client[] = [];
  const start = (command: string, args: readonly string[]): Client => {
    const client = startClient(command, args);
    clients.push(client);
    return client;
  };
  const serve = (place: Place, serverOptions: ServerOptions) =>
    startServer({ world, place, start, programs }, serverOptions);
  const running = () => world.state().instances.filter(({ state }) => state !== "terminated");
  const volumeState = () => world.state().volumes.find(({ id }) => id === world.volumeId)?.state;
  const dispose = async () => {
    // A client leaves only when its server, or its machine, lets it go, and either may hang: the clients are waited for last.
    const left = clients.map((client) => client[Symbol.asyncDispose]());
    for (const program of programs) await program[Symbol.asyncDispose]();
    await Promise.all(left);
    await stop();
  };
  try {
    const first = await serve(
      {
        configFile: join(world.dir, "test.hcl"),
        stateDir: join(world.dir, "jump-state"),
        sshConfig: join(world.dir, "jump_ssh_config"),
      },
      options,
    );
    return {
      ...first,
      // A getter is not copied as one.
      get jump() {
        return first.jump;
      },
      world,
      start,
      another: (name, serverOptions = options) => {
        const dir = join(world.dir, `server-${name}`);
        const place = {
          configFile: join(dir, "test.hcl"),
          stateDir: join(dir, "state"),
          sshConfig: join(dir, "ssh_config"),
        };
        return serve(place, serverOptions);
      },
      async befall(control, body) {
        const init = { method: "POST", ...(body !== undefined && { body: JSON.stringify(body) }) };
        const response = await fetch(`${world.endpoint}/_dev/${control}`, init);
        if (!response.ok) throw new Error(`${control}: ${response.status} ${await response.text()}`);
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
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

type Place = Pick<Server, "configFile" | "stateDir" | "sshConfig">;

interface Surroundings {
  readonly world: World;
  readonly place: Place;
  readonly start: Scene["start"];
  /** Whoever ends the world ends these before. */
  readonly programs: Program[];
}

async function startServer(
  { world, place, start, programs }: Surroundings,
  options: ServerOptions,
): Promise<Server> {
  const { configFile, stateDir, sshConfig } = place;
  mkdirSync(stateDir, { recursive: true });
  const endpoint = (await options.endpoint?.(world)) ?? world.endpoint;
  writeFileSync(configFile, configText(world, endpoint, options), { mode: 0o600 });
  let jump: Program | undefined;
  const ordinary = () =>
    startProgram(["-config", configFile, "--state-dir", stateDir, "--log-level", "debug"]);
  const serve = async (): Promise<Program> => {
    const program = (jump === undefined && options.first?.(configFile, stateDir)) || ordinary();
    programs.push(program);
    jump = program;
    const { host, port } = await program.logged("listening");
    await world.writeClientFiles({ listenHost: String(host), listenPort: Number(port) });
    // The world has one file for all; each server's clients keep the one that leads to theirs.
    const own = join(world.dir, "ssh_config");
    const text = readFileSync(own, "utf8").replaceAll(own, sshConfig);
    writeFileSync(sshConfig, text, { mode: 0o600 });
    return program;
  };
  await serve();
  return {
    ...place,
    get jump() {
      if (!jump) throw new Error("no program was started");
      return jump;
    },
    restart: serve,
    async ssh(command, { input = "", args = ["-J", "lazyssh"] } = {}) {
      const client = start("ssh", ["-F", sshConfig, "-o", "BatchMode=yes", ...args, "archiver", command]);
      client.process.stdin.end(input);
      return client.ended;
    },
    async session(command = "sleep 600") {
      const client = start("ssh", [
        "-F",
        sshConfig,
        "-o",
        "BatchMode=yes",
        "archiver",
        `echo up; ${command}`,
      ]);
      const up = new Promise<"up">((resolve) => client.process.stdout.once("data", () => resolve("up")));
      const first = await Promise.race([up, client.ended]);
      if (first !== "up") throw new Error(`the client was not let in: ${first.stderr}`);
      return client;
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
  { server = {}, target = {}, blocks = "", more = "", volume = true }: ServerOptions,
): string {
  const { keys } = world;
  const written = (text: string | ((world: World) => string)) =>
    typeof text === "string" ? text : text(world);
  const assigned = (values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .map(([name, value]) => `  ${name} = ${value}`)
      .join("\n");
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
  return `
server {
  listen = "127.0.0.1:0"
  host_key = <<EOF
${keys.jumpHost.private}
EOF
  authorized_key = "${keys.jumpClient.public}"
${assigned(server)}
}
target "archiver" "aws_ec2" {
${assigned(attributes)}
  user_data = <<EOF
SSH_HOST_ED25519_KEY:${hostKey}
SSH_HOST_ED25519_KEY_PUB:${keys.archiverHost.public}
EOF
  placement {
    availability_zone = "us-west-2d"
  }
${volume ? `  attach_volume {\n    device_name = "/dev/sdf"\n    volume_id   = "${world.volumeId}"\n  }` : ""}
${written(blocks)}
}
${written(more)}
`;
}
