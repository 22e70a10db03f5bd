import { parseKey } from "../util/key-parser.ts";
import { readPublicKey } from "./ssh-key/public-key.ts";
import type { PublicKey } from "./types.ts";

export type PrivateKey =
  | {
      /** Its text, without what stood around it. */
      readonly key: string;
      readonly type: string;
      /** Its public half, in wire format (RFC 4253 §6.6). */
      readonly publicBlob: Buffer;
    }
  | { readonly problem: string };

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/;

/** A private key without a passphrase, in PEM or OpenSSH format; indentation and text around it are taken away. */
export function parsePrivateKey(text: string): PrivateKey {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const block = PEM.exec(lines.join("\n"))?.[0];
  if (block === undefined) {
    return {
      problem:
        'A private key is needed, from "-----BEGIN … PRIVATE KEY-----" to "-----END … PRIVATE KEY-----". Make one with: ssh-keygen -t ed25519 -N "" -f host_key',
    };
  }
  const key = `${block}\n`;
  const parsed = parseKey(key);
  if (parsed instanceof Error) {
    return {
      problem: /encrypted|passphrase/i.test(parsed.message)
        ? "The private key is protected by a passphrase, and nobody can type it when the server starts. Remove it with: ssh-keygen -p -f FILE"
        : "This private key cannot be read: it is damaged, or of a kind that is not supported. Ed25519, ECDSA and RSA keys are.",
    };
  }
  if (parsed.isPrivateKey()) return { key, type: parsed.type, publicBlob: parsed.getPublicSSH() };
  return { problem: "This is a public key; the private key of the host is needed." };
}

export interface FirstKey {
  /** The first key that can be used. */
  readonly key: PublicKey | undefined;
  /** Whether that key has options, which are not applied. */
  readonly hasOptions: boolean;
  /** Usable keys after the first. */
  readonly ignored: number;
  /** Why a line that looks like a key was passed over. */
  readonly problem: string | undefined;
}

const KEY = /(?:^|[ \t])((?:ssh|ecdsa|sk)-[\w@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/;
// One option may hold anything between quotes; `\"` is a quote within.
const OPTIONS = /^(?:[\w@.-]+(?:="(?:[^"\\]|\\[\s\S])*")?,?)+$/;

/** The first key in text in the format of authorized_keys: blank lines and comments are skipped, options are not looked at. */
export function firstKeyOf(text: string): FirstKey {
  let found: { key: PublicKey; hasOptions: boolean } | undefined;
  let ignored = 0;
  let problem: string | undefined;
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const result = parseLine(line);
    if ("problem" in result) problem ??= result.problem;
    else if (found === undefined) found = result;
    else ignored += 1;
  }
  return { key: found?.key, hasOptions: found?.hasOptions ?? false, ignored, problem };
}

function parseLine(line: string): { key: PublicKey; hasOptions: boolean } | { problem: string } {
  const match = KEY.exec(line);
  const [, type = "", encoded = "", comment = ""] = match ?? [];
  if (match === null) return { problem: 'A public key is one line such as "ssh-ed25519 AAAA… comment".' };
  const options = line.slice(0, match.index).trim();
  if (options !== "" && !OPTIONS.test(options))
    return { problem: "The options before the public key cannot be read." };
  const read = readPublicKey(type, encoded, comment.trim());
  return "problem" in read ? read : { key: read.key, hasOptions: options !== "" };
}
