import type { Revocations } from "../../config/access.ts";
import { CLIENT_SIGNATURES, type SignatureAlgorithm, withCertificate } from "../algorithms.ts";
import { fingerprint, keyTypeOf, sha1Fingerprint, typeOfBlob } from "../public-key.ts";
import { type Certificate, readCertificate } from "./certificate.ts";

/** What a client shows of itself: a key, or a certificate of one. */
export interface Credential {
  /** What the client's signature has to be made with. */
  readonly algorithm: SignatureAlgorithm;
  /** The key by itself, as authorized_keys has it. */
  readonly key: Buffer;
  readonly certificate: Certificate | undefined;
}

/** Reads what came with a login request; nothing of it is believed yet. */
export function readCredential(name: string, blob: Buffer): Credential | { readonly problem: string } {
  const algorithm = CLIENT_SIGNATURES.find((one) => name === one || name === withCertificate(one));
  if (!algorithm) return { problem: `signature algorithm "${name}" is not accepted` };
  const type = keyTypeOf(algorithm);
  const certified = name !== algorithm;
  if (typeOfBlob(blob) !== (certified ? withCertificate(type) : type)) {
    return { problem: `the key is not one for "${name}"` };
  }
  if (!certified) return { algorithm, key: blob, certificate: undefined };
  try {
    const certificate = readCertificate(type, blob);
    return { algorithm, key: certificate.key, certificate };
  } catch (error) {
    return {
      problem: `the certificate is damaged: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** What of it is revoked, in words. */
export function revocationOf(
  { key, certificate }: Credential,
  { keys, serials, ids }: Revocations,
): string | undefined {
  // A list may have a key by its old fingerprint only.
  const isListed = (blob: Buffer): boolean => keys.has(fingerprint(blob)) || keys.has(sha1Fingerprint(blob));
  if (isListed(key)) return `key ${fingerprint(key)} is revoked`;
  if (!certificate) return undefined;
  const { id, serial } = certificate;
  const authority = fingerprint(certificate.authority);
  const isFor = (one: { readonly authority: string | undefined }): boolean =>
    one.authority === undefined || one.authority === authority;
  if (isListed(certificate.authority)) return `key ${authority}, which signed the certificate, is revoked`;
  if (serials.some((one) => isFor(one) && one.from <= serial && serial <= one.to)) {
    return `certificate ${serial} by ${authority} is revoked`;
  }
  if (ids.some((one) => isFor(one) && one.id === id)) return `certificate "${id}" by ${authority} is revoked`;
  return undefined;
}
