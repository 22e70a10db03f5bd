import { isSignatureAlgorithm, withCertificate } from "./algorithms.ts";
import { type Certificate, isSigned, readCertificate } from "./auth/certificate.ts";
import { Reader } from "./protocol.ts";
import { isKeyType, typeOfBlob } from "./public-key.ts";

/** A certificate of the type that servers have. */
const HOST = 2;
const FOR_EVER = 2n ** 64n - 1n;

/** Whether a certificate can be shown to clients: not now, with the reason; or never, which is a mistake in the config. */
export type CertificateCheck =
  | { readonly kind: "good" }
  | { readonly kind: "not now"; readonly why: string }
  | { readonly kind: "wrong"; readonly why: string };

/** Looks whether `blob` is a host certificate of the key with the blob `key`, at the time `now` (milliseconds since the epoch). */
export function checkHostCertificate(blob: Buffer, key: Buffer, now: number): CertificateCheck {
  const type = typeOfBlob(blob);
  const keyType = typeOfBlob(key) ?? "";
  if (!isKeyType(keyType) || type !== withCertificate(keyType)) {
    return wrong(`is of another key than the host key, or of none: it has the type ${type}`);
  }
  try {
    return check(readCertificate(keyType, blob), key, now);
  } catch {
    return wrong("is damaged: it ends too soon, or has bytes after its end");
  }
}

function check(certificate: Certificate, key: Buffer, now: number): CertificateCheck {
  if (!certificate.key.equals(key)) return wrong("is of another key than the host key");
  if (certificate.type !== HOST) return wrong("is not one of a host: sign it with `ssh-keygen -h`");
  // There are none for hosts, and clients refuse what they do not know.
  if (certificate.critical.size > 0) return wrong("has critical options, which no client accepts");
  const algorithm = new Reader(certificate.signature).text();
  if (!isSignatureAlgorithm(algorithm)) {
    return wrong(`is signed by ${algorithm}, which clients do not accept: sign it with -t rsa-sha2-512`);
  }
  if (!isSigned(certificate)) return wrong("has a wrong signature");
  const { validAfter, validBefore } = certificate;
  const seconds = BigInt(Math.floor(now / 1000));
  if (seconds < validAfter) return { kind: "not now", why: `is not valid before ${time(validAfter)}` };
  if (validBefore !== FOR_EVER && seconds >= validBefore) {
    return { kind: "not now", why: `expired at ${time(validBefore)}` };
  }
  return { kind: "good" };
}

function wrong(why: string): CertificateCheck {
  return { kind: "wrong", why };
}

/** As far as a date can have it. */
function time(seconds: bigint): string {
  const latest = 8_640_000_000_000n;
  return new Date(Number(seconds < latest ? seconds : latest) * 1000).toISOString();
}
