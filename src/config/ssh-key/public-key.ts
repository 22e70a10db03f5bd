import { createHash, createPublicKey } from "node:crypto";
import type { PublicKey } from "../types.ts";
import { Fields } from "./fields.ts";

/** NIST SP 800-57: shorter RSA keys can be broken, or soon will be. */
const LEAST_RSA_BITS = 2048;
/** As OpenSSH and OpenSSL: a longer one only costs time. */
const MOST_RSA_BITS = 16_384;
const ED25519_BYTES = 32;

const CURVES: ReadonlyMap<string, { readonly jwk: string; readonly bytes: number }> = new Map([
  ["nistp256", { jwk: "P-256", bytes: 32 }],
  ["nistp384", { jwk: "P-384", bytes: 48 }],
  ["nistp521", { jwk: "P-521", bytes: 66 }],
]);

/** What a public key of each type consists of, after the name of the type. */
const READERS: Readonly<Record<string, (fields: Fields) => void>> = {
  "ssh-ed25519": ed25519,
  "ecdsa-sha2-nistp256": (fields) => ecdsa(fields, "nistp256"),
  "ecdsa-sha2-nistp384": (fields) => ecdsa(fields, "nistp384"),
  "ecdsa-sha2-nistp521": (fields) => ecdsa(fields, "nistp521"),
  "ssh-rsa": (fields) => {
    unsigned(fields);
    if (unsigned(fields).length === 0) throw new RangeError("there is no modulus");
  },
  // OpenSSH PROTOCOL.u2f: the key, then the application that it was made for.
  "sk-ssh-ed25519@openssh.com": (fields) => {
    ed25519(fields);
    fields.string();
  },
  "sk-ecdsa-sha2-nistp256@openssh.com": (fields) => {
    ecdsa(fields, "nistp256");
    fields.string();
  },
};

/** Keys on security tokens prove people, not servers. */
export const HOST_KEY_TYPES: readonly string[] = Object.keys(READERS).filter(
  (type) => !type.startsWith("sk-"),
);

/** What looks like the name of a key type, served or not. */
export const KEY_TYPE = /^(?:ssh|ecdsa|sk|webauthn|x509v3)-[\w@.-]+$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export type KeyRead = { readonly key: PublicKey } | { readonly problem: string };

/** A public key of a type that is served, taken apart to the last byte: type and Base64, as `ssh-keygen` writes them. */
export function readPublicKey(type: string, encoded: string, comment: string): KeyRead {
  if (/-cert-v0\d@openssh\.com$/.test(type)) {
    return {
      problem: "This is a certificate; the public key itself is needed (FILE.pub, not FILE-cert.pub).",
    };
  }
  const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (reader === undefined) {
    return {
      problem: `Keys of the type ${type} are not supported: Ed25519, ECDSA, RSA and security keys (sk-…) are. Make one with: ssh-keygen -t ed25519`,
    };
  }
  const blob = BASE64.test(encoded) ? Buffer.from(encoded, "base64") : Buffer.alloc(0);
  try {
    const fields = new Fields(blob);
    if (fields.text() !== type) throw new RangeError("it is of another type");
    reader(fields);
    fields.end();
  } catch {
    return { problem: "This public key is damaged: copy its line anew, as ssh-keygen has written it." };
  }
  return { key: { type, blob, comment } };
}

/** Why nobody should log in, or prove himself, with a key; undefined when nothing speaks against it. */
export function weakness({ type, blob }: Pick<PublicKey, "type" | "blob">): string | undefined {
  if (type !== "ssh-rsa") return undefined;
  const fields = new Fields(blob);
  fields.string();
  fields.string();
  const modulus = unsigned(fields);
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < LEAST_RSA_BITS) {
    return `This RSA key has ${bits} bits; keys of less than ${LEAST_RSA_BITS} can be broken. Make a new one with: ssh-keygen -t ed25519`;
  }
  if (bits > MOST_RSA_BITS) {
    return `This RSA key has ${bits} bits; more than ${MOST_RSA_BITS} are not supported. Make a new one with: ssh-keygen -t ed25519`;
  }
  return undefined;
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function ed25519(fields: Fields): void {
  if (fields.string().length !== ED25519_BYTES) throw new RangeError("the key has another length");
}

/** An uncompressed point that is on its curve (RFC 5656 §3.1). */
function ecdsa(fields: Fields, name: string): void {
  const curve = CURVES.get(name);
  if (curve === undefined || fields.text() !== name) throw new RangeError("it is on another curve");
  const point = fields.string();
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) throw new RangeError("it is no point");
  const x = point.subarray(1, 1 + curve.bytes).toString("base64url");
  const y = point.subarray(1 + curve.bytes).toString("base64url");
  createPublicKey({ key: { kty: "EC", crv: curve.jwk, x, y }, format: "jwk" });
}

/** A positive mpint without its leading zeros. */
function unsigned(fields: Fields): Buffer {
  const number = fields.string();
  if ((number[0] ?? 0) >= 0x80) throw new RangeError("it is negative");
  let start = 0;
  while (number[start] === 0) start += 1;
  return number.subarray(start);
}
