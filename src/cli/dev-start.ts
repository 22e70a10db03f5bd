import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Config, loadConfig, renderDiagnostics } from "../config/index.ts";
import { createWorld, devCredentialsEnv, type World } from "../dev/index.ts";
import { type Host, startHost } from "../host/index.ts";
import type { EventStream } from "../observe/index.ts";
import { chooseStateDir } from "../targets/index.ts";
import { LazysshError } from "../util/errors.ts";
import type { CliContext } from "./context.ts";

export interface DevOptions {
  readonly dir: string;
  /** Whether to run the jump host too. */
  readonly server: boolean;
  /** A program that every machine runs when it boots. */
  readonly boot?: string | undefined;
  readonly events: EventStream;
  /** Told what the world itself, or the config file, has to say. */
  readonly notice: (text: string) => void;
}

export interface Dev {
  readonly world: World;
  readonly config: Config;
  /** Undefined without a server. */
  readonly host: Host | undefined;
}

/**
 * Starts the dev world, the jump host with the world's config, and writes the files that an ssh client needs.
 *
 * @throws LazysshError `CONFIG_INVALID` when the config in the folder was edited and is not valid any more.
 */
export async function startDev(context: CliContext, options: DevOptions): Promise<Dev> {
  const { dir, notice, events } = options;
  if (dir === "") throw new LazysshError("CONFIG_INVALID", "--dir needs the name of a folder");
  const world = await openWorld(options);
  try {
    const config = await worldConfig(context, world, notice);
    if (context.env.AWS_ACCESS_KEY_ID === undefined) Object.assign(context.env, devCredentialsEnv);
    const host = options.server ? await startAnywhere(context, config, events, notice) : undefined;
    const { host: listenHost, port: listenPort } = host?.address ?? config.server.listen;
    await world.writeClientFiles({
      listenHost,
      listenPort,
      targets: config.targets.map((target) => target.name),
    });
    return { world, config, host };
  } catch (error) {
    await world.close();
    throw error;
  }
}

async function openWorld({ dir, boot, notice }: DevOptions): Promise<World> {
  try {
    await rm(join(dir, "dev.json"), { force: true }); // it says that all is ready, and nothing is yet
    return await createWorld({ dir, onProblem: notice, ...(boot !== undefined && { boot }) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LazysshError("CONFIG_INVALID", `cannot run a dev world in ${dir}: ${why}`, { cause });
  }
}

async function worldConfig(
  { env, stderr }: CliContext,
  { configFile }: World,
  notice: (text: string) => void,
): Promise<Config> {
  const { config, diagnostics, sources } = await loadConfig({ file: configFile, env });
  if (diagnostics.length > 0) {
    notice(renderDiagnostics(diagnostics, sources, { color: stderr.isTTY === true }));
  }
  if (config) return config;
  throw new LazysshError(
    "CONFIG_INVALID",
    `${configFile} is not valid: mend it, or remove it to have it written anew`,
  );
}

/** The port of the config when it is free; a second world beside the first takes any other. */
async function startAnywhere(
  { env, clock }: CliContext,
  config: Config,
  events: EventStream,
  notice: (text: string) => void,
): Promise<Host> {
  const stateDir = chooseStateDir({ flag: undefined, config: config.server.stateDir }, env);
  try {
    return await startHost({ config, stateDir, events, clock });
  } catch (error) {
    const { host, port } = config.server.listen;
    const taken =
      error instanceof LazysshError && (error.cause as NodeJS.ErrnoException)?.code === "EADDRINUSE";
    if (!taken || port === 0) throw error;
    notice(`${host}:${port} is taken: listening on another port\n`);
    const server = { ...config.server, listen: { host, port: 0 } };
    return await startHost({ config: { ...config, server }, stateDir, events, clock });
  }
}
