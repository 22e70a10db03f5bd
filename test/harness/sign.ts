import ssh2, { type ParsedKey } from "ssh2";
import type { SignatureAlgorithm } from "../../src/server/algorithms.ts";
import { verifySignature } from "../../src/server/auth/signature.ts";
import { message } from "../../src/server/protocol.ts";
import { readPublicKey } from "../../src/server/public-key.ts";
import type { KeyFiles } from "./ssh.ts";

/** What to do wrong. */
export interface SignOptions {
  /** Signs this instead. */
  readonly data?: Buffer;
  readonly hash?: string;
  /** The algorithm named within the signature. */
  readonly name?: string;
  readonly bytes?: Buffer;
  readonly trailing?: Buffer;
}

/** A signature as RFC 4253 §6.6 has it: the algorithm's name, then its bytes. */
export function signatureOf(key: KeyFiles, algorithm: string, data: Buffer, wrong: SignOptions = {}): Buffer {
  const hash = wrong.hash ?? { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" }[algorithm];
  const bytes = wrong.bytes ?? sign(key, wrong.data ?? data, hash);
  const signature = message(0, wrong.name ?? algorithm, bytes).subarray(1);
  return Buffer.concat([signature, wrong.trailing ?? Buffer.alloc(0)]);
}

function sign(key: KeyFiles, data: Buffer, hash: string | undefined): Buffer {
  const parsed = ssh2.utils.parseKey(key.privateKey) as ParsedKey;
  const signature = parsed.sign(data, hash);
  if (signature instanceof Error) throw signature;
  return key.type.startsWith("ecdsa-") ? fromDer(signature) : signature;
}

/** ECDSA: from the DER that OpenSSL makes to two mpints (RFC 5656 §3.1.2). */
function fromDer(der: Buffer): Buffer {
  // SEQUENCE, of which the length takes one byte more from 128 on; then two INTEGERs.
  let at = (der[1] ?? 0) > 127 ? 3 : 2;
  const numbers = [0, 1].map(() => {
    const length = der[at + 1] ?? 0;
    const number = der.subarray(at + 2, at + 2 + length);
    at += 2 + length;
    return number;
  });
  return message(0, ...numbers).subarray(1);
}

/** Whether it is a signature of `data` by the key with this blob. */
export function isSignedBy(
  algorithm: SignatureAlgorithm,
  blob: Buffer,
  signature: Buffer,
  data: Buffer,
): boolean {
  return verifySignature(algorithm, readPublicKey(blob), signature, data) !== undefined;
}
