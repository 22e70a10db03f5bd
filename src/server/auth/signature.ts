import { createHash, type KeyObject, verify } from "node:crypto";
import type { SignatureAlgorithm } from "../algorithms.ts";
import { Reader } from "../protocol.ts";
import { keyTypeOf, type PublicKey, unsigned } from "../public-key.ts";

/** A signature that is right. */
export interface Verified {
  /** What a key on a security token says of who used it; undefined for other keys, which have nobody to ask. */
  readonly token: Attendance | undefined;
}

export interface Attendance {
  /** It was touched. */
  readonly present: boolean;
  /** By somebody who knew its PIN, or whose finger it knew. */
  readonly verified: boolean;
}

const PRESENT = 0x01;
const VERIFIED = 0x04;

/**
 * Checks a signature of `data` (RFC 4253 §6.6: algorithm name, then the bytes; OpenSSH PROTOCOL.u2f for keys on tokens), made with
 * exactly this algorithm. Undefined for a wrong one and for anything malformed: a key of another type, a name that differs,
 * trailing bytes. Never throws.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: PublicKey,
  signature: Buffer,
  data: Buffer,
): Verified | undefined {
  try {
    const fields = new Reader(signature);
    if (fields.text() !== algorithm || key.type !== keyTypeOf(algorithm)) return undefined;
    const bytes = fields.string();
    // Flags and a counter, of a token only.
    const rest = signature.subarray(fields.position);
    if (key.application === undefined) {
      return rest.length === 0 && verifies(algorithm, key.key, bytes, data)
        ? { token: undefined }
        : undefined;
    }
    if (rest.length !== 5) return undefined;
    const whole = Buffer.concat([sha256(key.application), rest, sha256(data)]);
    if (!verifies(algorithm, key.key, bytes, whole)) return undefined;
    const flags = rest.readUInt8();
    return { token: { present: (flags & PRESENT) !== 0, verified: (flags & VERIFIED) !== 0 } };
  } catch {
    return undefined;
  }
}

function verifies(algorithm: SignatureAlgorithm, key: KeyObject, bytes: Buffer, data: Buffer): boolean {
  switch (algorithm) {
    case "ssh-ed25519":
    case "sk-ssh-ed25519@openssh.com":
      return bytes.length === 64 && verify(null, data, key, bytes);
    case "rsa-sha2-256":
      return verify("sha256", data, key, filled(key, bytes));
    case "rsa-sha2-512":
      return verify("sha512", data, key, filled(key, bytes));
    case "ecdsa-sha2-nistp256":
    case "sk-ecdsa-sha2-nistp256@openssh.com":
      return verifiesNumbers("sha256", 32, key, bytes, data);
    case "ecdsa-sha2-nistp384":
      return verifiesNumbers("sha384", 48, key, bytes, data);
    case "ecdsa-sha2-nistp521":
      return verifiesNumbers("sha512", 66, key, bytes, data);
    default: {
      const never: never = algorithm;
      return never;
    }
  }
}

/**
 * An RSA signature, as long as the modulus (RFC 8017 §8.2.2). PuTTY leaves leading zeros out, which one in 256 has; OpenSSH puts them back, too.
 * One that is too long stays so, and is refused.
 */
function filled(key: KeyObject, bytes: Buffer): Buffer {
  const length = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  return Buffer.concat([Buffer.alloc(Math.max(0, length - bytes.length)), bytes]);
}

/** ECDSA (RFC 5656 §3.1.2): `r` and `s`, mpints of at most so many bytes. */
function verifiesNumbers(hash: string, length: number, key: KeyObject, bytes: Buffer, data: Buffer): boolean {
  const fields = new Reader(bytes);
  const numbers = [fields.string(), fields.string()].map(unsigned);
  if (fields.position !== bytes.length) return false;
  if (numbers.some((digits) => digits.length === 0 || digits.length > length)) return false;
  const padded = numbers.flatMap((digits) => [Buffer.alloc(length - digits.length), digits]);
  return verify(hash, data, { key, dsaEncoding: "ieee-p1363" }, Buffer.concat(padded));
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
