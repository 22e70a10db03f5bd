import { isSignatureAlgorithm } from "./algorithms.ts";
import { Reader } from "./protocol.ts";
import { isSignedBy } from "./public-key.ts";

/** What OpenSSH adds to a key type, or to a signature algorithm, for its certificates (PROTOCOL.certkeys). */
export const CERTIFICATE_SUFFIX = "-cert-v01@openssh.com";

/** A certificate of the type that servers have. */
const HOST = 2;
const FOR_EVER = 2n ** 64n - 1n;

/** Fields of the public key that follow the nonce. */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
};

/** Whether a certificate can be shown to clients: not now, with the reason; or never, which is a mistake in the config. */
export type CertificateCheck =
  | { readonly kind: "good" }
  | { readonly kind: "not now"; readonly why: string }
  | { readonly kind: "wrong"; readonly why: string };

/** Looks whether `blob` is a host certificate of the key with the blob `key`, at the time `now` (milliseconds since the epoch). */
export function checkHostCertificate(blob: Buffer, key: Buffer, now: number): CertificateCheck {
  try {
    return check(blob, key, now);
  } catch {
    return wrong("is damaged: it ends too soon, or is none");
  }
}

function check(blob: Buffer, key: Buffer, now: number): CertificateCheck {
  const fields = new Reader(blob);
  const type = fields.text();
  const keyType = type.endsWith(CERTIFICATE_SUFFIX) ? type.slice(0, -CERTIFICATE_SUFFIX.length) : "";
  const keyFields = KEY_FIELDS[keyType];
  if (keyFields === undefined) return wrong(`has the type ${type}, which is not supported`);
  fields.string(); // nonce
  const start = fields.position;
  for (let n = 0; n < keyFields; n++) fields.string();
  const own = new Reader(key);
  const sameType = own.text() === keyType;
  if (!sameType || !blob.subarray(start, fields.position).equals(key.subarray(own.position))) {
    return wrong("is of another key than the host key");
  }
  fields.uint64(); // serial
  if (fields.uint32() !== HOST) return wrong("is not one of a host: sign it with `ssh-keygen -h`");
  fields.string(); // key id
  fields.string(); // principals: what clients compare with the name they asked for
  const from = fields.uint64();
  const to = fields.uint64();
  // There are none for hosts, and clients refuse what they do not know.
  if (fields.string().length > 0) return wrong("has critical options, which no client accepts");
  fields.string(); // extensions
  fields.string(); // reserved
  const authority = fields.string();
  const signed = blob.subarray(0, fields.position);
  const signature = fields.string();
  if (!fields.atEnd) return wrong("has bytes after its end");
  const algorithm = new Reader(signature).text();
  if (!isSignatureAlgorithm(algorithm)) {
    return wrong(`is signed by ${algorithm}, which clients do not accept: sign it with -t rsa-sha2-512`);
  }
  if (!isSignedBy(algorithm, authority, signature, signed)) return wrong("has a wrong signature");
  const seconds = BigInt(Math.floor(now / 1000));
  if (seconds < from) return { kind: "not now", why: `is not valid before ${time(from)}` };
  if (to !== FOR_EVER && seconds >= to) return { kind: "not now", why: `expired at ${time(to)}` };
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
