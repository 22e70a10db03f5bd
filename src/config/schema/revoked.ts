import type { Revocations } from "../access.ts";
import { no, refined, type ValueType } from "../decode/value-type.ts";
import { readRevocations } from "../revoked/read.ts";
import { path } from "./common.ts";

/** A file that is read in full, or not at all: what is not understood might be what somebody relies on. */
export const revokedKeysFile: ValueType<Revocations> = refined<string, Revocations>(
  path,
  "path",
  (given, files) => {
    const file = files.bytes(given);
    if ("problem" in file) return no(file.problem);
    const read = readRevocations(file.content);
    if ("problem" in read) {
      return no(`"${file.path}" ${read.problem} Correct it: until then nobody can tell what is revoked.`);
    }
    const remarks = read.remarks.map((detail) => ({
      summary: "Revocation list",
      detail: `"${file.path}": ${detail}`,
    }));
    return { ok: true, value: read.revocations, remarks };
  },
);
