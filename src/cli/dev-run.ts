import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Stoppable, serveUntilSignal } from "../host/index.ts";
import { createEventStream, createLogger, logEvents } from "../observe/index.ts";
import { asLazysshError } from "../util/errors.ts";
import { quoteWhereNeeded } from "../util/shell.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { DevFlags } from "./dev.ts";
import { type Dev, startDev } from "./dev-start.ts";
import { abandoned } from "./serve-run.ts";

export async function dev(this: CliContext, flags: DevFlags): Promise<void> {
  const logger = await createLogger({ format: flags.logFormat, level: flags.logLevel }, this.stderr);
  const events = createEventStream();
  events.subscribe(logEvents(logger));
  const notice = (text: string) => void this.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
  try {
    this.process.exitCode = await serveUntilSignal({
      start: async () =>
        stoppable(
          await startDev(this, {
            dir: flags.dir,
            server: flags.server,
            boot: flags.boot,
            events,
            notice,
          }),
        ),
      signals: this.signals,
      onStarted: ({ dev: started }) => {
        if (started.host) events.emit({ type: "listening", ...started.host.address });
        this.stdout.write(welcome(started));
      },
      onAbandon: ({ dev: { host }, running }) =>
        this.stderr.write(abandoned(running(), host?.stateDir ?? "")),
    });
  } catch (cause) {
    const error = asLazysshError(cause);
    this.stderr.write(`lazyssh: ${error.message}\n`);
    this.process.exitCode = error.code === "CONFIG_INVALID" ? exitCodes.usage : exitCodes.failed;
  }
}

/** The world with its jump host, to be stopped as one: first the machines, as ever, and then the world they are in. */
function stoppable(started: Dev): Stoppable & { readonly dev: Dev } {
  const { world, host } = started;
  return {
    dev: started,
    running: () => host?.running() ?? [],
    async close(signal) {
      await host?.close(signal);
      await rm(join(world.dir, "dev.json"), { force: true });
      await world.close();
    },
    abandon: () => host?.abandon(),
  };
}

function welcome({ world, host, config }: Dev): string {
  const ssh = quoteWhereNeeded(["ssh", "-F", join(world.dir, "ssh_config")]);
  const serve = host
    ? ""
    : "Run the jump host yourself:\n\n" +
      `  AWS_ACCESS_KEY_ID=dev AWS_SECRET_ACCESS_KEY=dev lazyssh serve -c ${quoteWhereNeeded([world.configFile])}\n\n`;
  return (
    `A cloud of its own runs at ${world.endpoint}, and nothing costs anything. Config: ${world.configFile}\n\n` +
    `${serve}Start the machine by connecting to it:\n\n` +
    config.targets.map(({ name }) => `  ${ssh} ${name}\n`).join("") +
    `\nIts volume is ~/volume there, and outlives it in ${world.volumeFolder}.\n` +
    "Ctrl-C stops everything.\n"
  );
}
