import { serveUntilSignal, startHost } from "../host/index.ts";
import { createEventStream, createLogger, logEvents } from "../observe/index.ts";
import { chooseStateDir } from "../targets/index.ts";
import { asLazysshError } from "../util/errors.ts";
import { readConfig } from "./config.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { ServeFlags } from "./serve.ts";

export async function serve(this: CliContext, flags: ServeFlags): Promise<void> {
  const config = await readConfig(this, flags);
  if (!config) {
    this.process.exitCode = exitCodes.usage;
    return;
  }
  const logger = await createLogger({ format: flags.logFormat, level: flags.logLevel }, this.stderr);
  const events = createEventStream();
  events.subscribe(logEvents(logger));
  try {
    const stateDir = chooseStateDir({ flag: flags.stateDir, config: config.server.stateDir }, this.env);
    this.process.exitCode = await serveUntilSignal({
      start: () => startHost({ config, stateDir, events, clock: this.clock }),
      signals: this.signals,
      onStarted: (host) => events.emit({ type: "listening", ...host.address }),
      onAbandon: (host) => this.stderr.write(abandoned(host.running(), host.stateDir)),
    });
  } catch (cause) {
    const error = asLazysshError(cause);
    this.stderr.write(`lazyssh: ${error.message}\n`);
    this.process.exitCode = error.code === "CONFIG_INVALID" ? exitCodes.usage : exitCodes.failed;
  }
}

export function abandoned(machines: readonly string[], stateDir: string): string {
  if (machines.length === 0) return "lazyssh: told twice to end: nothing is left running\n";
  return (
    "lazyssh: told twice to end, so these are left as they are, and may be RUNNING AND COSTING MONEY:\n" +
    machines.map((machine) => `  ${machine}\n`).join("") +
    `Start lazyssh again with the same state directory (${stateDir}) and it will stop them, or end them by hand.\n`
  );
}
