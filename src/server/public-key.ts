import { createHash, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import type { SignatureAlgorithm } from "./algorithms.ts";
import { Reader } from "./protocol.ts";

/** NIST SP 800-57: shorter RSA keys can be broken, or soon will be. */
const LEAST_RSA_BITS = 2048;

const CURVES = {
  "ecdsa-sha2-nistp256": { name: "nistp256", jwk: "P-256", bytes: 32, hash: "sha256" },
  "ecdsa-sha2-nistp384": { name: "nistp384", jwk: "P-384", bytes: 48, hash: "sha384" },
  "ecdsa-sha2-nistp521": { name: "nistp521", jwk: "P-521", bytes: 66, hash: "sha512" },
} as const;

/** The key type whose keys sign with this algorithm (RFC 8332 §3: RSA keys have one type and several algorithms). */
export function keyTypeOf(algorithm: SignatureAlgorithm): string {
  return algorithm === "rsa-sha2-256" || algorithm === "rsa-sha2-512" ? "ssh-rsa" : algorithm;
}

/** The type that a key blob says it has; undefined when it is no key blob. */
export function typeOfBlob(blob: Buffer): string | undefined {
  try {
    return new Reader(blob).text();
  } catch {
    return undefined;
  }
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** Whether two key blobs are the same, in a time that does not tell how much of them is. */
export function sameKey(a: Buffer, b: Buffer): boolean {
  const digest = (blob: Buffer): Buffer => createHash("sha256").update(blob).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/**
 * Whether `signature` (RFC 4253 §6.6: algorithm name, then the bytes) is one of `data` by the key, made with exactly
 * this algorithm. False for anything malformed: a key of another type, a name that differs, trailing bytes.
 */
export function isSignedBy(
  algorithm: SignatureAlgorithm,
  blob: Buffer,
  signature: Buffer,
  data: Buffer,
): boolean {
  try {
    const fields = new Reader(signature);
    if (fields.text() !== algorithm) return false;
    const bytes = fields.string();
    if (fields.position !== signature.length) return false;
    return verifies(algorithm, blob, bytes, data);
  } catch {
    return false;
  }
}

function verifies(algorithm: SignatureAlgorithm, blob: Buffer, bytes: Buffer, data: Buffer): boolean {
  const fields = new Reader(blob);
  if (fields.text() !== keyTypeOf(algorithm)) return false;
  switch (algorithm) {
    case "ssh-ed25519": {
      const key = jwk({ kty: "OKP", crv: "Ed25519", x: base64url(last(fields, blob)) });
      return verify(null, data, key, bytes);
    }
    case "rsa-sha2-256":
    case "rsa-sha2-512": {
      const exponent = fields.string();
      const key = jwk({
        kty: "RSA",
        e: base64url(unsigned(exponent)),
        n: base64url(unsigned(last(fields, blob))),
      });
      if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < LEAST_RSA_BITS) return false;
      return verify(algorithm === "rsa-sha2-256" ? "sha256" : "sha512", data, key, bytes);
    }
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521": {
      const curve = CURVES[algorithm];
      if (fields.text() !== curve.name) return false;
      const point = last(fields, blob);
      if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) return false;
      const key = jwk({
        kty: "EC",
        crv: curve.jwk,
        x: base64url(point.subarray(1, 1 + curve.bytes)),
        y: base64url(point.subarray(1 + curve.bytes)),
      });
      const numbers = new Reader(bytes);
      const r = padded(numbers.string(), curve.bytes);
      const s = padded(last(numbers, bytes), curve.bytes);
      return verify(curve.hash, data, { key, dsaEncoding: "ieee-p1363" }, Buffer.concat([r, s]));
    }
    default: {
      const never: never = algorithm;
      return never;
    }
  }
}

function jwk(key: Record<string, string>): KeyObject {
  return createPublicKey({ key, format: "jwk" });
}

/** The next field, which must be the last one of `whole`. */
function last(fields: Reader, whole: Buffer): Buffer {
  const field = fields.string();
  if (fields.position !== whole.length) throw new RangeError("trailing bytes");
  return field;
}

function base64url(bytes: Buffer): string {
  return bytes.toString("base64url");
}

/** An mpint (RFC 4251 §5) without its sign byte. */
function unsigned(number: Buffer): Buffer {
  return number[0] === 0 ? number.subarray(1) : number;
}

function padded(number: Buffer, length: number): Buffer {
  const digits = unsigned(number);
  if (digits.length > length) throw new RangeError("number too long");
  return Buffer.concat([Buffer.alloc(length - digits.length), digits]);
}
