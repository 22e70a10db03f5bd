import { join } from "node:path";

/** Where all machines are written down, a folder for each. */
export function recordsFolder(stateDir: string): string {
  return join(stateDir, "commands");
}

/** What a machine's `start` has printed. */
export function outputOf(stateDir: string, id: string): string {
  return join(recordsFolder(stateDir), id, "output.log");
}
