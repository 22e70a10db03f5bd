import type { Revocations } from "../access.ts";
import { decodeSource } from "../source.ts";
import { isKrl, readKrl } from "./krl.ts";
import { RevocationList } from "./list.ts";
import { readText } from "./text.ts";

export type RevocationsRead =
  | { readonly revocations: Revocations; readonly remarks: readonly string[] }
  /** A sentence that goes on after the name of the file. */
  | { readonly problem: string };

export const NOTHING_REVOKED: Revocations = { keys: new Set(), serials: [], ids: [] };

/** Reads what is revoked: a KRL of `ssh-keygen -k`, the specification that one is made of, or a list of public keys. */
export function readRevocations(bytes: Buffer): RevocationsRead {
  const list = new RevocationList();
  try {
    if (isKrl(bytes)) {
      const remarks = readKrl(bytes, list);
      return { revocations: list.revocations(), remarks };
    }
    const decoded = decodeSource("", bytes);
    if (!decoded.ok) return { problem: `is neither a KRL nor UTF-8 text (byte ${decoded.badByte}).` };
    readText(decoded.source.text, list);
    return { revocations: list.revocations(), remarks: [] };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { problem: `cannot be read: ${error.message}.` };
  }
}
