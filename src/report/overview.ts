import type { MachineStatus, TargetStatus } from "../targets/by-hand.ts";
import { roughly } from "./quantities.ts";

/** A line for each target and machine, for somebody who wants to know where to go. */
export function renderOverview(targets: readonly TargetStatus[], now: number): string[] {
  const rows = targets.flatMap((target) => rowsOf(target, now));
  const table = [["TARGET", "TYPE", "MACHINE"] as const, ...rows];
  const width = (column: 0 | 1) => Math.max(...table.map((row) => row[column].length));
  return table.map(([name, type, machine]) =>
    `${name.padEnd(width(0))}  ${type.padEnd(width(1))}  ${machine}`.trimEnd(),
  );
}

type Row = readonly [name: string, type: string, machine: string];

function rowsOf({ name, type, summary, machines }: TargetStatus, now: number): Row[] {
  if (summary === undefined) return [[name, type, ""]];
  const what = `${type}, ${summary}`;
  // Of a family, each name has its own.
  const title: Row = [name, what, /[*?]/.test(name) ? "one for each name" : "none"];
  const rows = machines.map((machine): Row => [machine.target, what, machineText(machine, now)]);
  return rows.some(([target]) => target === name) ? rows : [title, ...rows];
}

function machineText({ state, since, unfit, leases }: MachineStatus, now: number): string {
  const connections = new Set(leases.filter(({ kind }) => kind === "channel").map((one) => one.connection));
  const byHand = leases.some(({ kind }) => kind === "by hand");
  return [
    `${state} for ${roughly(now - since)}`,
    connections.size === 0 ? "" : `${connections.size} connection${connections.size === 1 ? "" : "s"}`,
    byHand ? "kept by hand" : "",
    unfit === undefined ? "" : "takes no new connections",
  ]
    .filter(Boolean)
    .join(", ");
}
