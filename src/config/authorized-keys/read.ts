import type { AuthorizedKey } from "../access.ts";
import { weakness } from "../ssh-key/public-key.ts";
import { splitLine } from "./line.ts";
import { readOptions } from "./options.ts";

/** What is found in text in the format of authorized_keys (sshd(8)). */
export interface KeysRead {
  readonly keys: readonly AuthorizedKey[];
  /** Lines whose keys are not taken, in words; each begins with its place. */
  readonly refused: readonly string[];
  /** What else is to be known about lines whose keys are taken. */
  readonly remarks: readonly string[];
}

/**
 * Reads keys with their options; blank lines and comments are skipped. As with sshd, a line that is not understood in full costs that key
 * and no other. `placeOf` is what its lines (from 1) are called.
 */
export function readAuthorizedKeys(text: string, placeOf: (line: number) => string): KeysRead {
  const keys: AuthorizedKey[] = [];
  const refused: string[] = [];
  const remarks: string[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const source = placeOf(index + 1);
    const read = readLine(line);
    if ("problem" in read) refused.push(`${source}: ${read.problem}`);
    else {
      keys.push({ ...read.key, source });
      if (read.warning) remarks.push(`${source}: ${read.warning}`);
    }
  }
  return { keys, refused, remarks };
}

function readLine(
  line: string,
):
  | { readonly key: Omit<AuthorizedKey, "source">; readonly warning: string | undefined }
  | { readonly problem: string } {
  const split = splitLine(line);
  if ("problem" in split) return split;
  const { key: read, options: before } = split;
  if ("problem" in read) return read;
  const weak = weakness(read.key);
  if (weak) return { problem: weak };
  const given = readOptions(before);
  if ("problem" in given) return given;
  return { key: { key: read.key, ...given.options }, warning: given.warning };
}
