import type { Logger } from "pino";
import type { LazysshEvent, Subscriber } from "./events.ts";

export const logFormats = ["auto", "json", "pretty"] as const;
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export interface LogOptions {
  /** `auto`: pretty when the output is a terminal, else one JSON object a line. */
  readonly format: (typeof logFormats)[number];
  readonly level: (typeof logLevels)[number];
}

export interface LogOutput {
  write(line: string): unknown;
  readonly isTTY?: boolean;
}

/** A logger on `output` (standard error, for a server). Nothing it is given is ever a secret. */
export async function createLogger({ format, level }: LogOptions, output: LogOutput): Promise<Logger> {
  // Commands that log nothing start without it.
  const { default: pino } = await import("pino");
  const pretty = format === "pretty" || (format === "auto" && output.isTTY === true);
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!pretty) return pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, output);
  const { prettyFactory } = await import("pino-pretty");
  const forPeople = prettyFactory({ colorize: output.isTTY === true, translateTime: "SYS:HH:MM:ss.l" });
  return pino(base, { write: (line: string) => void output.write(forPeople(line)) });
}

type Level = "debug" | "info" | "warn" | "error";

/** Writes each event as one line: `msg` is the event's name, the rest its fields. */
export function logEvents(logger: Logger): Subscriber {
  return (event) => {
    const { type, ...fields } = event;
    logger[levelOf(event)](fields, type);
  };
}

function levelOf(event: LazysshEvent): Level {
  switch (event.type) {
    case "connection.auth":
      return event.accepted ? "info" : "warn";
    case "machine.failed":
    case "machine.leak_suspected":
    case "machine.before_stop_failed":
    case "config.rejected":
      return "error";
    case "config.reloaded":
      return event.kept.length > 0 ? "warn" : "info";
    case "machine.retry":
    case "machine.notice":
    case "machine.unfit":
    case "limit.reached":
    case "channel.refused":
    case "connections.refused":
    case "source.refused":
    case "session.refused":
    case "server.warning":
      return "warn";
    case "control":
      return event.do === "status" ? "debug" : "info"; // who looks changes nothing, and may look often
    case "machine.waiting":
    case "config.reloading":
      return "debug";
    default:
      return "info";
  }
}
