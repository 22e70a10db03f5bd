import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./program.ts";

/** Process ids of a program's workers. Linux only. */
export function workersOf({ process: { pid } }: Program): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
  return children.map(Number).filter((child) => titleOf(child).startsWith("lazyssh worker"));
}

/** Whether a process is there, and is no zombie. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** The worker that has the connection of a client, which is named as in the log: `127.0.0.1:50123`. */
export function workerWith(program: Program, client: string): number | undefined {
  const port = Number(client.split(":").at(-1)).toString(16).toUpperCase().padStart(4, "0");
  const inodes = readFileSync(`/proc/${program.process.pid}/net/tcp`, "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote]) => remote?.endsWith(`:${port}`))
    .map((fields) => `socket:[${fields[9]}]`);
  return workersOf(program).find((pid) => openOf(pid).some((file) => inodes.includes(file)));
}

function openOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      return []; // closed meanwhile
    }
  });
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
