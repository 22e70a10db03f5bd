import type { TargetStatus } from "../targets/index.ts";
import type { Usage } from "./usage.ts";

const MOST_SHOWN = 5;

/** "2 machines (archiver ready, db booting), 3 connections". */
export function statusLine(
  phase: "serving" | "draining" | "stopping",
  targets: readonly TargetStatus[],
  { connections, channels }: Pick<Usage, "connections" | "channels">,
): string {
  const machines = targets.flatMap(({ name, machines: those }) =>
    those.filter(({ state }) => state !== "failed").map(({ state }) => `${name} ${state}`),
  );
  const which = machines.length === 0 ? "" : ` (${some(machines)})`;
  const there = `${count(machines.length, "machine")}${which}, ${count(connections, "connection")}`;
  if (phase === "serving") return there;
  if (phase === "stopping") return `stopping: ${there}`;
  return `shutting down, waiting for ${count(channels.length, "channel")} (${some(channels)}): ${there}`;
}

function some(all: readonly string[]): string {
  const rest = all.length - MOST_SHOWN;
  return [...all.slice(0, MOST_SHOWN), ...(rest > 0 ? [`${rest} more`] : [])].join(", ");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
