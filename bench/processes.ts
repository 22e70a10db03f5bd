import { readdirSync, readFileSync } from "node:fs";

/** Ticks of /proc/PID/stat in a second: USER_HZ, which is 100 wherever Linux runs Node. */
const HZ = 100;

interface Stat {
  readonly parent: number;
  /** Seconds of CPU: its own, and of the children that it has waited for. */
  readonly own: number;
  readonly reaped: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before may hold anything, parentheses too.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = (index: number) => Number(fields[index] ?? 0) / HZ;
    return { parent: Number(fields[1]), own: ticks(11) + ticks(12), reaped: ticks(13) + ticks(14) };
  } catch {
    return undefined;
  }
}

/** The process and all that descend from it. */
export function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(Number(name));
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const member of found) found.push(...(children.get(member) ?? []));
  return found;
}

/** Seconds of CPU that a process, those that descend from it and those that it has seen end have used so far. */
export function cpuSeconds(pid: number): number {
  return family(pid).reduce((sum, member) => {
    const stat = statOf(member);
    return sum + (stat ? stat.own + stat.reaped : 0);
  }, 0);
}

/** Memory of a process and those that descend from it in KiB; what several share is counted once (Pss). */
export function memoryKiB(pid: number): number {
  return family(pid).reduce((sum, member) => {
    try {
      const text = readFileSync(`/proc/${member}/smaps_rollup`, "utf8");
      return sum + Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
    } catch {
      return sum;
    }
  }, 0);
}

/** Resident memory of one process in KiB. */
export function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
}
