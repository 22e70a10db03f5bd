import { join } from "node:path";
import type { ClientResult } from "./scene.ts";

/** What can be asked of a ZFS, wherever it is. */
export interface Zfs {
  /** Runs `zfs` and answers what it prints. @throws Error with the command and its complaint when it fails. */
  zfs(...args: readonly string[]): Promise<string>;
  zpool(...args: readonly string[]): Promise<string>;
  /** The value of one property, as a machine reads it. */
  get(property: string, dataset: string): Promise<string>;
  /** Names of the snapshots of one dataset and their GUIDs, oldest first. */
  snapshots(dataset: string): Promise<{ name: string; guid: string }[]>;
  /** Where Node finds the files of a mounted dataset. @throws Error when it is not mounted. */
  mount(dataset: string): Promise<string>;
  /** Where Node finds what has that path inside. */
  path(inside: string): string;
}

/**
 * One at a time: zfs-fuse 0.7.0 tells the thread that serves its filesystems of a new one through a pipe, in several pieces. Those
 * of two get mixed up, and it waits for more for ever.
 */
const MOUNTING: ReadonlySet<string> = new Set(["create", "clone", "mount", "import"]);

/** @param root where the root folder of that system is seen. */
export function zfsIn(exec: (argv: readonly string[]) => Promise<ClientResult>, root: () => string): Zfs {
  const run = async (argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await exec(argv);
    if (code !== 0) throw new Error(`${argv.join(" ")}: status ${code}: ${stderr}`);
    return stdout.toString();
  };
  let mounting: Promise<unknown> = Promise.resolve();
  const inTurn = async (argv: readonly string[]): Promise<string> => {
    if (!MOUNTING.has(argv[1] ?? "")) return run(argv);
    const done = mounting.then(() => run(argv));
    mounting = done.catch(() => undefined);
    return done;
  };
  const zfs = (...args: readonly string[]) => inTurn(["zfs", ...args]);
  const get = async (property: string, dataset: string) => {
    // `-o value` prints nothing in zfs-fuse 0.7.0 when -p is there too.
    const [, , value = ""] = (await zfs("get", "-Hp", property, dataset)).trimEnd().split("\t");
    return value;
  };
  const path = (inside: string) => join(root(), inside);
  return {
    zfs,
    zpool: (...args) => inTurn(["zpool", ...args]),
    get,
    path,
    async snapshots(dataset) {
      const listed = await zfs(
        "list",
        "-H",
        "-o",
        "name",
        "-t",
        "snapshot",
        "-s",
        "createtxg",
        "-d",
        "1",
        dataset,
      );
      const names = listed.split("\n").filter((name) => name !== "");
      return Promise.all(
        names.map(async (name) => ({ name: name.slice(dataset.length + 1), guid: await get("guid", name) })),
      );
    },
    async mount(dataset) {
      if ((await get("mounted", dataset)) !== "yes") throw new Error(`${dataset} is not mounted`);
      return path(await get("mountpoint", dataset));
    },
  };
}
