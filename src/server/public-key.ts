import { createHash, createPublicKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { SignatureAlgorithm } from "./algorithms.ts";
import { Reader } from "./protocol.ts";

/** NIST SP 800-57: shorter RSA keys can be broken, or soon will be. */
const LEAST_RSA_BITS = 2048;

/** How many fields a key has after its type (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH PROTOCOL.u2f). */
const FIELDS = {
  "ssh-ed25519": 1,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
  "sk-ssh-ed25519@openssh.com": 2,
  "sk-ecdsa-sha2-nistp256@openssh.com": 3,
  "ssh-rsa": 2,
} as const;

export type KeyType = keyof typeof FIELDS;

const CURVES = {
  "ecdsa-sha2-nistp256": { name: "nistp256", jwk: "P-256", bytes: 32 },
  "ecdsa-sha2-nistp384": { name: "nistp384", jwk: "P-384", bytes: 48 },
  "ecdsa-sha2-nistp521": { name: "nistp521", jwk: "P-521", bytes: 66 },
  "sk-ecdsa-sha2-nistp256@openssh.com": { name: "nistp256", jwk: "P-256", bytes: 32 },
} as const;

/** A public key that can check signatures. */
export interface PublicKey {
  readonly type: KeyType;
  readonly key: KeyObject;
  /** Of a key on a security token: what it was made for, `ssh:`. */
  readonly application: Buffer | undefined;
}

/** The key type whose keys sign with this algorithm (RFC 8332 §3: RSA keys have one type and several algorithms). */
export function keyTypeOf(algorithm: SignatureAlgorithm): KeyType {
  return algorithm === "rsa-sha2-256" || algorithm === "rsa-sha2-512" ? "ssh-rsa" : algorithm;
}

/** The type that a blob says it has; undefined when it is none of a key. */
export function typeOfBlob(blob: Buffer): string | undefined {
  try {
    return new Reader(blob).text();
  } catch {
    return undefined;
  }
}

export function isKeyType(name: string): name is KeyType {
  return Object.hasOwn(FIELDS, name);
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** As `ssh-keygen -l -E sha1` prints it: only to find a key in a list that has it so, never to trust one. */
export function sha1Fingerprint(blob: Buffer): string {
  return `SHA1:${createHash("sha1").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** Whether two key blobs are the same, in a time that does not tell how much of them is. */
export function sameKey(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The fields of a key of this type, without the type. @throws ProtocolError when there are fewer. */
export function keyFields(type: KeyType, fields: Reader): readonly Buffer[] {
  return Array.from({ length: FIELDS[type] }, () => fields.string());
}

/** @throws Error when the blob is no key of a type that is accepted here, or is too weak; the message says why. */
export function readPublicKey(blob: Buffer): PublicKey {
  const fields = new Reader(blob);
  const type = fields.text();
  if (!isKeyType(type)) throw new Error(`keys of type "${type}" are not accepted`);
  return publicKey(type, fields, blob.length);
}

function publicKey(type: KeyType, blob: Reader, length: number): PublicKey {
  const [first = NONE, second = NONE, third = NONE] = keyFields(type, blob);
  if (blob.position !== length) throw new Error("there is more than a key");
  switch (type) {
    case "ssh-ed25519":
      return { type, key: ed25519(first), application: undefined };
    case "sk-ssh-ed25519@openssh.com":
      return { type, key: ed25519(first), application: second };
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
      return { type, key: onCurve(CURVES[type], first, second), application: undefined };
    case "sk-ecdsa-sha2-nistp256@openssh.com":
      return { type, key: onCurve(CURVES[type], first, second), application: third };
    case "ssh-rsa": {
      const key = jwk({ kty: "RSA", e: base64url(unsigned(first)), n: base64url(unsigned(second)) });
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < LEAST_RSA_BITS) {
        throw new Error(`an RSA key of ${bits} bits can be broken, ${LEAST_RSA_BITS} are needed`);
      }
      return { type, key, application: undefined };
    }
    default: {
      const never: never = type;
      return never;
    }
  }
}

const NONE = Buffer.alloc(0);

function ed25519(point: Buffer): KeyObject {
  if (point.length !== 32) throw new Error("an Ed25519 key has 32 bytes");
  return jwk({ kty: "OKP", crv: "Ed25519", x: base64url(point) });
}

function onCurve(curve: (typeof CURVES)[keyof typeof CURVES], name: Buffer, point: Buffer): KeyObject {
  if (name.toString() !== curve.name) throw new Error("the curve is another than the type says");
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new Error("this is no point on the curve");
  return jwk({
    kty: "EC",
    crv: curve.jwk,
    x: base64url(point.subarray(1, 1 + curve.bytes)),
    y: base64url(point.subarray(1 + curve.bytes)),
  });
}

function jwk(key: Record<string, string>): KeyObject {
  return createPublicKey({ key, format: "jwk" });
}

function base64url(bytes: Buffer): string {
  return bytes.toString("base64url");
}

/** The digits of an mpint (RFC 4251 §5). @throws RangeError when it is negative. */
export function unsigned(number: Buffer): Buffer {
  if ((number[0] ?? 0) > 127) throw new RangeError("a negative number");
  const first = number.findIndex((digit) => digit !== 0);
  return first === -1 ? NONE : number.subarray(first);
}
