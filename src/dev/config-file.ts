import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "./store.ts";

/**
 * Writes the generated configuration, unless the user has made it their own.
 *
 * @returns whether the file now holds the text given.
 */
export async function writeConfig(dir: string, configFile: string, text: string): Promise<boolean> {
  const digestFile = join(dir, "config.sha256");
  const present = await readIfThere(configFile);
  const edited = present !== undefined && digest(present) !== (await readIfThere(digestFile))?.trim();
  if (edited) return present === text;
  await writeAtomically(digestFile, `${digest(text)}\n`);
  await writeAtomically(configFile, text);
  return true;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
