import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes this process the only one that runs a world in a folder: two would hand the same volume to two machines.
 *
 * @returns the function that gives the folder free again.
 * @throws Error that names the process that has it.
 */
export function lockFolder(dir: string): () => void {
  const path = join(dir, "world.pid");
  const take = (): void => writeFileSync(path, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
  try {
    take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const holder = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (held.has(path) || (holder !== process.pid && isAlive(holder))) {
      throw new Error(`${dir} is in use by process ${holder}. Stop that one, or choose another folder`);
    }
    rmSync(path);
    take();
  }
  held.add(path);
  return () => {
    if (held.delete(path)) rmSync(path, { force: true });
  };
}

const held = new Set<string>();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    // In a container whose first process does not reap, one that was killed stays in the list as a zombie.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // No /proc on this system, or none of that process any more.
    return process.platform !== "linux";
  }
}
