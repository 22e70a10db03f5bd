import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../util/errors.ts";
import type { Cloud } from "./cloud/cloud.ts";
import { type CloudRecord, recordOf } from "./cloud/record.ts";

/** What outlives a run of the world. */
export interface WorldRecord {
  readonly version: 1;
  /** Port of the EC2 API, kept so that written configurations stay true. */
  readonly port: number;
  /** The volume of the generated configuration. */
  readonly volumeId: string;
  readonly cloud: CloudRecord;
}

const FILE = "cloud.json";

/** Replaces a file in one step, readable by its owner only: a reader sees the old text or the new one. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode: 0o600 });
  await rename(fresh, path);
}

/** @throws Error when there is a record that cannot be read: starting afresh would lose track of volumes. */
export function readRecord(dir: string): WorldRecord | undefined {
  const path = join(dir, FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as WorldRecord;
    if (record.version !== 1) throw new Error(`it is of version ${String(record.version)}, known is 1`);
    return record;
  } catch (error) {
    throw new Error(`${path} is not usable: ${messageOf(error)}. Move it away to start with new volumes`, {
      cause: error,
    });
  }
}

/** Writes the world's record whenever it is behind, one write at a time. */
export class Store {
  readonly #path: string;
  readonly #cloud: Cloud;
  readonly #fixed: Pick<WorldRecord, "port" | "volumeId">;
  #written = -1;
  #writing: Promise<void> | undefined;

  constructor(dir: string, cloud: Cloud, fixed: Pick<WorldRecord, "port" | "volumeId">) {
    this.#path = join(dir, FILE);
    this.#cloud = cloud;
    this.#fixed = fixed;
  }

  /** Resolves when all that has happened until now is on disk. */
  async save(): Promise<void> {
    const wanted = this.#cloud.revision;
    while (this.#written < wanted) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    const { revision } = this.#cloud;
    const record: WorldRecord = { version: 1, ...this.#fixed, cloud: recordOf(this.#cloud) };
    await writeAtomically(this.#path, `${JSON.stringify(record, null, 2)}\n`);
    this.#written = revision;
  }
}
