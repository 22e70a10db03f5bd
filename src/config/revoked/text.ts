import { createHash } from "node:crypto";
import { certificateHead, isCertificateType } from "../ssh-key/certificate.ts";
import { Fields } from "../ssh-key/fields.ts";
import { KEY_TYPE } from "../ssh-key/public-key.ts";
import type { RevocationList } from "./list.ts";

const SHA256_PRINT = /^SHA256:([A-Za-z0-9+/]{43})=?$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The specification of `ssh-keygen -k` (ssh-keygen(1), KEY REVOCATION LISTS), and sshd's plain list of public keys: one entry a line,
 * `#` begins a comment.
 *
 * @throws RangeError for a line that is not understood.
 */
export function readText(text: string, list: RevocationList): void {
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/#.*$/s, "").trim();
    if (line === "") continue;
    try {
      readLine(line, list);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(`line ${index + 1}: ${error.message}`);
    }
  }
}

function readLine(line: string, list: RevocationList): void {
  const [, word = "", rest = ""] = /^([a-z0-9]+):\s*(.*)$/i.exec(line) ?? [];
  const kind = word.toLowerCase();
  if (kind === "serial") readSerials(rest, list);
  else if (kind === "id") list.id(undefined, rest);
  else if (kind === "key") list.key(keyOf(rest));
  else if (kind === "sha1") list.digest("SHA1", createHash("sha1").update(keyOf(rest)).digest());
  else if (kind === "sha256") {
    // A fingerprint when it is the line itself, or all that follows; else a key.
    const print = digestOf(line) ?? digestOf(rest);
    if (print) list.digest("SHA256", print);
    else list.key(keyOf(rest));
  } else if (kind === "hash") {
    const print = digestOf(rest);
    if (print === undefined) throw new RangeError('a fingerprint such as "SHA256:…" must follow "hash:"');
    list.digest("SHA256", print);
  } else list.key(keyOf(line));
}

function digestOf(text: string): Buffer | undefined {
  const encoded = SHA256_PRINT.exec(text)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64");
}

/** `N` or `N-M`, in decimal or, with 0x, in hexadecimal. */
function readSerials(text: string, list: RevocationList): void {
  const match = /^(0x[0-9a-f]{1,16}|[1-9]\d{0,19}|0)(?:-(0x[0-9a-f]{1,16}|[1-9]\d{0,19}|0))?$/i.exec(text);
  if (match === null) throw new RangeError('a number or two with "-" between them must follow "serial:"');
  const from = BigInt(match[1] ?? 0);
  list.serials(undefined, from, match[2] === undefined ? from : BigInt(match[2]));
}

/** The plain key, of a line with a public key or a certificate. */
function keyOf(text: string): Buffer {
  const [type = "", encoded = ""] = text.split(/[ \t]+/);
  if (!KEY_TYPE.test(type))
    throw new RangeError(
      "it is neither a public key nor an entry such as serial:, id:, key:, sha1:, sha256:, hash:",
    );
  const blob = BASE64.test(encoded) ? Buffer.from(encoded, "base64") : Buffer.alloc(0);
  if (typeOf(blob) !== type) throw new RangeError("its public key is damaged");
  if (!isCertificateType(type)) return blob;
  const head = certificateHead({ type, blob });
  if (head === undefined)
    throw new RangeError("its certificate is damaged, or of a kind that is not supported");
  return head.key;
}

function typeOf(blob: Buffer): string | undefined {
  try {
    return new Fields(blob).text();
  } catch {
    return undefined;
  }
}
