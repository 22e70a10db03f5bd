import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { HostKeyConfig } from "../config/access.ts";
import { LazysshError } from "../util/errors.ts";
import { parseKey } from "../util/key-parser.ts";
import { type SignatureAlgorithm, withCertificate } from "./algorithms.ts";
import { checkHostCertificate } from "./host-certificate.ts";
import { message } from "./protocol.ts";
import { fingerprint } from "./public-key.ts";

/** A key that the server proves itself with. */
export interface HostKey {
  /** The public key. */
  readonly blob: Buffer;
  /** Best first. */
  readonly algorithms: readonly SignatureAlgorithm[];
  /** The bytes of a signature (RFC 4253 §6.6), without the name of the algorithm. */
  sign(algorithm: SignatureAlgorithm, data: Buffer): Buffer;
}

/** A way to prove it in a key exchange. */
export interface HostKeyProof {
  readonly key: HostKey;
  /** K_S: the public key, or its certificate. */
  readonly blob: Buffer;
  readonly algorithm: SignatureAlgorithm;
}

export interface HostKeys {
  /** In the order of the config. */
  readonly keys: readonly HostKey[];
  /** By the names of host key algorithms (RFC 4253 §7.1), best first. */
  readonly proofs: ReadonlyMap<string, HostKeyProof>;
  /** What is not as it should be, in words. */
  readonly warnings: readonly string[];
}

/** NIST SP 800-57: shorter RSA keys can be broken, or soon will be; OpenSSH's clients refuse those under 1024. */
const LEAST_RSA_BITS = 2048;

const HASHES: Readonly<Partial<Record<SignatureAlgorithm, string>>> = {
  "ecdsa-sha2-nistp256": "sha256",
  "ecdsa-sha2-nistp384": "sha384",
  "ecdsa-sha2-nistp521": "sha512",
  "rsa-sha2-512": "sha512",
  "rsa-sha2-256": "sha256",
};

/**
 * Of several keys of one type the first is used in key exchanges; the others are only announced. A certificate that is not valid
 * now is not used, which is a warning: a server that starts again in the night has to come up.
 *
 * @throws LazysshError `CONFIG_INVALID` for a key that is none, and for a certificate that can never be one of its key.
 */
export function readHostKeys(configs: readonly HostKeyConfig[], now: number): HostKeys {
  const keys: HostKey[] = [];
  const proofs = new Map<string, HostKeyProof>();
  const warnings: string[] = [];
  for (const { key: text, certificate } of configs) {
    const key = readHostKey(text);
    keys.push(key);
    const add = (name: string, blob: Buffer, algorithm: SignatureAlgorithm): void => {
      if (!proofs.has(name)) proofs.set(name, { key, blob, algorithm });
    };
    if (certificate) {
      const { blob } = certificate;
      const check = checkHostCertificate(blob, key.blob, now);
      if (check.kind === "wrong") {
        throw new LazysshError(
          "CONFIG_INVALID",
          `the certificate of host key ${fingerprint(key.blob)} ${check.why}`,
        );
      }
      if (check.kind === "good") {
        for (const algorithm of key.algorithms) add(withCertificate(algorithm), blob, algorithm);
      } else {
        const use = "the plain key is used: renew it with `ssh-keygen -s CA -h`, and reload";
        warnings.push(`the certificate of host key ${fingerprint(key.blob)} ${check.why}; ${use}`);
      }
    }
    for (const algorithm of key.algorithms) add(algorithm, key.blob, algorithm);
  }
  return { keys, proofs, warnings };
}

/**
 * Reads a private host key in PEM or OpenSSH format.
 *
 * @throws LazysshError `CONFIG_INVALID` when it is no private key, is encrypted, or is one that no client should trust.
 */
function readHostKey(text: string): HostKey {
  const key = parseKey(text);
  if (key instanceof Error) throw invalid(`cannot be read (${key.message})`);
  if (!key.isPrivateKey()) throw invalid("is a public key, but the private one is needed");
  const privateKey = createPrivateKey(key.getPrivatePEM());
  return {
    blob: key.getPublicSSH(),
    algorithms: algorithmsOf(key.type, privateKey),
    sign: (algorithm, data) => signed(privateKey, algorithm, data),
  };
}

function algorithmsOf(type: string, key: KeyObject): readonly SignatureAlgorithm[] {
  switch (type) {
    case "ssh-ed25519":
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
      return [type];
    case "ssh-rsa": {
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < LEAST_RSA_BITS) throw invalid(`has ${bits} bits, and ${LEAST_RSA_BITS} are the least`);
      return ["rsa-sha2-512", "rsa-sha2-256"];
    }
    default:
      throw invalid(`has the type ${type}, which is not supported`);
  }
}

function signed(key: KeyObject, algorithm: SignatureAlgorithm, data: Buffer): Buffer {
  const signature = sign(HASHES[algorithm] ?? null, data, { key, dsaEncoding: "ieee-p1363" });
  if (!algorithm.startsWith("ecdsa-")) return signature;
  const half = signature.length / 2;
  // RFC 5656 §3.1.2: both numbers as mpints.
  return message(0, mpint(signature.subarray(0, half)), mpint(signature.subarray(half))).subarray(1);
}

/** A positive number as RFC 4251 §5 has it, without its length. */
function mpint(digits: Buffer): Buffer {
  const start = digits.findIndex((byte) => byte !== 0);
  const short = digits.subarray(start === -1 ? digits.length : start);
  return (short[0] ?? 0) >= 128 ? Buffer.concat([Buffer.of(0), short]) : short;
}

function invalid(why: string): LazysshError {
  return new LazysshError(
    "CONFIG_INVALID",
    `server.host_key ${why}: give an unencrypted private key, as \`ssh-keygen -t ed25519 -N ''\` makes`,
  );
}
