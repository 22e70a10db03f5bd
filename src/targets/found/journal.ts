import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "../../util/durable.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";

/** One start, as it is written down before the order is given. */
export interface LaunchRecord {
  /** The idempotency token of the order. */
  readonly token: string;
  readonly target: string;
  /** The cloud's id, once the order has been answered. */
  readonly machine: string | undefined;
  /** When it was written, RFC 3339. */
  readonly startedAt: string;
  /** It was seen at rest, as its target wanted it: nothing is to be done about it as long as that is so. */
  readonly rests?: boolean;
}

/** Durable memory of what may exist: a launch is in it from before its order until it is proved gone. */
export interface Journal {
  /** @throws LazysshError `INTERNAL` when it cannot be made durable: then nothing may be ordered. */
  write(record: LaunchRecord): Promise<void>;
  forget(token: string): Promise<void>;
  /** What earlier runs left. Files that make no sense are named in `unreadable`, and kept. */
  read(): Promise<{ readonly records: readonly LaunchRecord[]; readonly unreadable: readonly string[] }>;
}

/** A journal of one small file per launch in `<stateDir>/launches`. */
export function createJournal(stateDir: string): Journal {
  const folder = join(stateDir, "launches");
  const fileOf = (token: string) => join(folder, `${token}.json`);
  return {
    async write(record) {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeDurably(fileOf(record.token), `${JSON.stringify(record)}\n`);
      } catch (cause) {
        throw new LazysshError(
          "INTERNAL",
          `cannot write down the start of a machine in ${folder}: ${messageOf(cause)}; nothing was started. ` +
            "Make room or give another folder with --state-dir",
          { cause },
        );
      }
    },
    async forget(token) {
      await rm(fileOf(token), { force: true });
    },
    async read() {
      const records: LaunchRecord[] = [];
      const unreadable: string[] = [];
      for (const name of await names(folder)) {
        const record = parseRecord(await readFile(join(folder, name), "utf8").catch(() => ""));
        if (record && name === `${record.token}.json`) records.push(record);
        else unreadable.push(join(folder, name));
      }
      return { records, unreadable };
    },
  };
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function parseRecord(text: string): LaunchRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { token, target, machine, startedAt, rests } = value as Record<string, unknown>;
  if (typeof token !== "string" || typeof target !== "string" || typeof startedAt !== "string")
    return undefined;
  return {
    token,
    target,
    startedAt,
    machine: typeof machine === "string" ? machine : undefined,
    ...(rests === true && { rests }),
  };
}
