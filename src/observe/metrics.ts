import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../util/clock.ts";
import { version } from "../util/version.ts";
import type { LazysshEvent, Subscriber } from "./events.ts";

/** What is counted, for a program to fetch. Names are in docs/operation.md, and are kept. */
export interface Metrics {
  readonly subscriber: Subscriber;
  readonly contentType: string;
  /** Prometheus' text format 0.0.4. */
  text(): Promise<string>;
}

/** No machine is there in these. */
const NO_MACHINE: ReadonlySet<string> = new Set(["absent", "failed"]);
/** One is there, or wanted, and costs no machine time. */
const UNPAID: ReadonlySet<string> = new Set(["preparing", "resting"]);

/** The names of a family are counted as one. */
function asConfigured(event: LazysshEvent): LazysshEvent {
  const { family } = event;
  return family !== undefined && "target" in event ? { ...event, target: family } : event;
}

/**
 * Counts events. Only what is configured becomes a label: names that clients make up would fill the memory.
 */
export function createMetrics(clock: Clock): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `lazyssh_${name}`, help, labelNames, registers });
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `lazyssh_${name}`, help, labelNames, registers });

  const machines = gauge("machines", "Machines that are there, or wanted, by state", ["target", "state"]);
  const starts = counter("starts_total", "Machines that were ordered", ["target"]);
  const failures = counter("failures_total", "Starts that failed, and machines lost in use", [
    "target",
    "code",
  ]);
  const leaks = counter("leak_suspected_total", "Failed attempts to end a machine", ["target"]);
  const paid = counter("machine_seconds_total", "Time in which machines were there", ["target"]);
  const retries = counter("retries_total", "Requests to the cloud that are made again", ["target", "code"]);
  const notices = counter("notices_total", "Machines that the cloud announced to take away", ["target"]);
  const limits = counter("limits_reached_total", "Limits that were reached", ["target", "limit"]);
  const boots = new Histogram({
    name: "lazyssh_boot_seconds",
    help: "Time from the order of a machine to its readiness",
    labelNames: ["target"] as const,
    buckets: [5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600],
    registers,
  });
  const connections = gauge("connections", "Connections of clients, logged in or not");
  const connected = counter("connections_total", "Connections of clients so far");
  const unwanted = counter("connections_refused_total", "Connections that were not let in, or dropped", [
    "why",
  ]);
  const sources = counter("sources_refused_total", "Addresses that were refused for a while");
  const auths = counter("auth_total", "Logins that were accepted, and refused", ["result"]);
  const channels = gauge("channels", "Open channels", ["target"]);
  const opened = counter("channels_total", "Channels opened so far", ["target"]);
  const refused = counter("channels_refused_total", "Channels that were refused", ["code"]);
  const bytes = counter("bytes_total", "Bytes of channels that have ended", ["target", "direction"]);
  const reloads = counter("config_reloads_total", "Times that the config was read again", ["result"]);
  const warnings = counter("warnings_total", "Warnings in the log");
  gauge("info", "Always 1", ["version"]).set({ version }, 1);

  /** Machines that cost, by target; the time of all of them is added up whenever their number changes. */
  const running = new Map<string, number>();
  /** When they were ordered, by launch. */
  const ordered = new Map<string, number>();
  let settledAt = clock.now();

  const settle = (): void => {
    const now = clock.now();
    const seconds = Math.max(now - settledAt, 0) / 1_000;
    for (const [target, count] of running) paid.inc({ target }, count * seconds);
    settledAt = now;
  };

  const moved = ({ target, launch, from, to }: Extract<LazysshEvent, { type: "machine.state" }>): void => {
    settle();
    if (!NO_MACHINE.has(from)) machines.dec({ target, state: from });
    if (!NO_MACHINE.has(to)) machines.inc({ target, state: to });
    const costs = (state: string) => (NO_MACHINE.has(state) || UNPAID.has(state) ? 0 : 1);
    running.set(target, (running.get(target) ?? 0) + costs(to) - costs(from));
    if (to === "launching") starts.inc({ target });
    if (launch === undefined) return;
    if (to === "launching") ordered.set(launch, clock.now());
    else if (to === "ready" || to === "stopping" || NO_MACHINE.has(to)) {
      const since = ordered.get(launch);
      if (since !== undefined && to === "ready") boots.observe({ target }, (clock.now() - since) / 1_000);
      ordered.delete(launch);
    }
  };

  const subscriber = (happened: LazysshEvent): void => {
    const event = asConfigured(happened);
    switch (event.type) {
      case "machine.state":
        moved(event);
        break;
      case "machine.failed":
        failures.inc({ target: event.target, code: event.code });
        break;
      case "machine.leak_suspected":
        leaks.inc({ target: event.target });
        break;
      case "machine.retry":
        retries.inc({ target: event.target, code: event.code });
        break;
      case "machine.notice":
        notices.inc({ target: event.target });
        break;
      case "limit.reached":
        limits.inc({ target: event.target, limit: event.limit });
        break;
      case "connection.open":
        connected.inc();
        connections.inc();
        break;
      case "connection.close":
        connections.dec();
        break;
      case "connections.refused":
        unwanted.inc({ why: event.why }, event.count);
        break;
      case "source.refused":
        sources.inc();
        break;
      case "connection.auth":
        auths.inc({ result: event.accepted ? "accepted" : "refused" });
        break;
      case "channel.open":
        opened.inc({ target: event.target });
        channels.inc({ target: event.target });
        break;
      case "channel.refused":
        refused.inc({ code: event.code });
        break;
      case "channel.close":
        channels.dec({ target: event.target });
        bytes.inc({ target: event.target, direction: "up" }, event.bytesUp);
        bytes.inc({ target: event.target, direction: "down" }, event.bytesDown);
        break;
      case "config.reloaded":
        reloads.inc({ result: "taken" });
        break;
      case "config.rejected":
        reloads.inc({ result: "rejected" });
        break;
      case "server.warning":
        warnings.inc();
        break;
      default:
        break;
    }
  };

  return {
    subscriber,
    contentType: registry.contentType,
    text() {
      settle();
      return registry.metrics();
    },
  };
}
