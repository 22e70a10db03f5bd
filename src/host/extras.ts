import { resolve } from "node:path";
import type { Config } from "../config/index.ts";
import { type Control, openControl } from "../control/index.ts";
import type { EventStream } from "../observe/index.ts";
import type { ByHand } from "../targets/index.ts";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { version } from "../util/version.ts";

/** What stands beside the front door: controls and metrics. */

interface Around {
  readonly config: Config;
  readonly events: EventStream;
  readonly clock: Clock;
}

/** @throws LazysshError `CONFIG_INVALID` when the configured address cannot be had. */
export async function startMetrics({ config, events, clock }: Around): Promise<AsyncCloseable | undefined> {
  const at = config.server.metrics;
  if (at === undefined) return undefined;
  const { serveMetrics } = await import("../observe/metrics-server.ts");
  return serveMetrics({ at, events, clock });
}

export interface AsyncCloseable {
  close(): Promise<void>;
}

export interface ControlledServer {
  readonly machines: ByHand;
  readonly stateDir: string;
  readonly address: { readonly host: string; readonly port: number };
}

/** Never fails: who cannot be reached by hand still serves. */
export async function startControl(
  { config, events, clock }: Around,
  { machines, stateDir, address: { host, port } }: ControlledServer,
): Promise<Control | undefined> {
  const listen = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const place = { pid: process.pid, listen, config: resolve(config.file), stateDir };
  const facts = { version, since: clock.now(), place };
  try {
    return await openControl({ machines, facts, clock, events });
  } catch (error) {
    const reason = `lazyssh status, start and stop cannot reach this server: no socket in ${stateDir}: ${messageOf(error)}`;
    events.emit({ type: "server.warning", reason });
    return undefined;
  }
}
