import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../util/durable.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import type { Notes } from "../provider.ts";
import type { Order } from "./order.ts";
import { outputOf, recordsFolder } from "./place.ts";
import type { ProcessId } from "./processes.ts";

/** What is known of a machine. Each is a file of its own, written by the one verb that it is the effect of. */
export interface Facts {
  readonly order: Order;
  /** The process of `start`. */
  readonly child: ProcessId;
  /** `start` went wrong, and may have started something all the same. */
  readonly failed: { readonly reason: string };
  /** It was seen to run. */
  readonly seen: { readonly at: number };
  /** It was told to stop, first at that time; `told` when `stop` has succeeded. */
  readonly stopping: { readonly at: number; readonly told: boolean };
  /** It is gone. */
  readonly ended: { readonly at: number; readonly reason: string };
  readonly notes: Notes;
}

export type MachineFacts = Pick<Facts, "order"> & {
  readonly [K in Exclude<keyof Facts, "order">]: Facts[K] | undefined;
};

/** How long it is remembered why a machine is gone. */
const REMEMBERED_MS = 3_600_000;

/** Machines of all targets of type `command`, a folder of small files each, in `<stateDir>/commands`. */
export class Records {
  readonly stateDir: string;
  readonly #folder: string;

  constructor(stateDir: string) {
    this.stateDir = stateDir;
    this.#folder = recordsFolder(stateDir);
  }

  /** Undefined: there is no such machine, nor was there one lately. */
  async read(id: string): Promise<MachineFacts | undefined> {
    const order = await this.#fact(id, "order");
    if (!order) return undefined;
    const [child, failed, seen, stopping, ended, notes] = await Promise.all([
      this.#fact(id, "child"),
      this.#fact(id, "failed"),
      this.#fact(id, "seen"),
      this.#fact(id, "stopping"),
      this.#fact(id, "ended"),
      this.#fact(id, "notes"),
    ]);
    return { order, child, failed, seen, stopping, ended, notes };
  }

  /** @throws LazysshError `INTERNAL` when it cannot be made durable. */
  async write<K extends keyof Facts>(id: string, name: K, fact: Facts[K]): Promise<void> {
    const folder = join(this.#folder, id);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeDurably(join(folder, `${name}.json`), `${JSON.stringify(fact)}\n`);
    } catch (cause) {
      const what = `cannot write down in ${folder} what becomes of the machine: ${messageOf(cause)}`;
      throw new LazysshError("INTERNAL", `${what}. Make room or give another folder with --state-dir`, {
        cause,
      });
    }
  }

  /** Takes back what turns out not to be so. */
  async erase(id: string, name: keyof Facts): Promise<void> {
    await rm(join(this.#folder, id, `${name}.json`), { force: true });
  }

  /** Where `start` writes what it prints. */
  outputOf(id: string): string {
    return outputOf(this.stateDir, id);
  }

  /** Ids of all machines; those long gone are forgotten. */
  async list(now: number): Promise<readonly string[]> {
    const ids = (await readdir(this.#folder).catch(() => [])).filter((name) => name.startsWith("cmd-"));
    const kept: string[] = [];
    for (const id of ids.sort()) {
      const ended = await this.#fact(id, "ended");
      if (ended && now - ended.at > REMEMBERED_MS) await this.forget(id);
      else kept.push(id);
    }
    return kept;
  }

  /** For a machine that has never been. */
  async forget(id: string): Promise<void> {
    await rm(join(this.#folder, id), { recursive: true, force: true });
  }

  async #fact<K extends keyof Facts>(id: string, name: K): Promise<Facts[K] | undefined> {
    if (!/^cmd-[\w-]+$/.test(id)) return undefined;
    try {
      return JSON.parse(await readFile(join(this.#folder, id, `${name}.json`), "utf8")) as Facts[K];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new LazysshError(
        "INTERNAL",
        `cannot read ${name}.json of ${id} in ${this.#folder}: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }
}
