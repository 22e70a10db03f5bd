import type { ParsedKey } from "ssh2";
import keyParser from "ssh2/lib/protocol/keyParser.js";

/**
 * Reads a key in PEM, OpenSSH or PuTTY format with ssh2's parser, without loading the rest of ssh2: its client and the HTTP agents
 * that come with it would be a twentieth of what a server at rest needs.
 *
 * Never throws. ssh2 answers with one key, with a list (an empty one for some damaged keys) or with an error, or throws it.
 */
export function parseKey(text: string): ParsedKey | Error {
  try {
    const [first] = [keyParser.parseKey(text)].flat();
    return first ?? new Error("it is empty");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
