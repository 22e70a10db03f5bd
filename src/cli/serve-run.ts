import { loadConfig } from "../config/index.ts";
import {
  createNotifier,
  createReloader,
  createSystemd,
  hasTerminal,
  type Reloader,
  serveUntilSignal,
  startHost,
  takeSystemdEnv,
} from "../host/index.ts";
import { createEventStream, createLogger, logEvents } from "../observe/index.ts";
import { chooseStateDir } from "../targets/index.ts";
import { asLazysshError } from "../util/errors.ts";
import { readConfigFile } from "./config.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { variables } from "./flags.ts";
import type { ServeFlags } from "./serve.ts";

export async function serve(this: CliContext, flags: ServeFlags): Promise<void> {
  const { env, clock } = this;
  const { notifySocket, watchdogMs, sockets } = takeSystemdEnv(env, process.pid);
  const first = await readConfigFile(this, flags);
  const { config } = first;
  if (!config) {
    this.process.exitCode = exitCodes.usage;
    return;
  }
  const logger = await createLogger({ format: flags.logFormat, level: flags.logLevel }, this.stderr);
  const events = createEventStream();
  events.subscribe(logEvents(logger));
  const warn = (reason: string) => events.emit({ type: "server.warning", reason });
  const systemd =
    notifySocket === undefined
      ? undefined
      : createSystemd({
          notifier: createNotifier({ socket: notifySocket, onProblem: warn }),
          events,
          clock,
          watchdogMs,
        });
  let reloader: Reloader | undefined;
  events.subscribe(({ type }) => {
    if (type === "server.draining" || type === "server.stopping") reloader?.[Symbol.dispose]();
  });
  const load = () => loadConfig({ file: flags.config, env, vars: variables(flags.var) });
  try {
    const stateDir = chooseStateDir({ flag: flags.stateDir, config: config.server.stateDir }, env);
    this.process.exitCode = await serveUntilSignal({
      start: () => startHost({ config, stateDir, events, clock, sockets }),
      signals: this.signals,
      onStarted: (host) => {
        events.emit({ type: "listening", ...host.address });
        systemd?.started(host);
        reloader = createReloader({ load, first, apply: (next) => host.reload(next), events, clock });
      },
      onAbandon: (host) => this.stderr.write(abandoned(host.running(), host.stateDir)),
      hangup: { clock, reload: () => reloader?.reload(), hasTerminal },
    });
  } catch (cause) {
    const error = asLazysshError(cause);
    this.stderr.write(`lazyssh: ${error.message}\n`);
    this.process.exitCode = error.code === "CONFIG_INVALID" ? exitCodes.usage : exitCodes.failed;
  } finally {
    reloader?.[Symbol.dispose]();
    await systemd?.close();
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
