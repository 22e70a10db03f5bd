import { createRequire } from "node:module";
import type { ParsedKey } from "ssh2";
import type keyParser from "ssh2/lib/protocol/keyParser.js";

const require = createRequire(import.meta.url);
let parser: typeof keyParser | undefined;

/**
 * Reads a key in PEM, OpenSSH or PuTTY format with ssh2's parser, without loading the rest of ssh2: its client and the HTTP agents
 * that come with it would be a twentieth of what a server at rest needs. It is loaded with the first key.
 *
 * Never throws for what a text holds. ssh2 answers with one key, with a list (an empty one for some damaged keys) or with an error, or throws it.
 */
export function parseKey(text: string): ParsedKey | Error {
  // That it cannot be loaded is nothing about the key.
  parser ??= require("ssh2/lib/protocol/keyParser.js") as typeof keyParser;
  try {
    const [first] = [parser.parseKey(text)].flat();
    return first ?? new Error("it is empty");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
