import type { Offer } from "ssh2/lib/protocol/Protocol.js";
import { HYBRID_KEX, hasHybridKex } from "./hybrid-kex.ts";

/**
 * What is offered, best first. No SHA-1, no CBC, no group exchange (its moduli cost seconds), no compression before
 * or after authentication: the inner connection is encrypted and does not compress.
 */
const KEX = [
  ...(hasHybridKex ? [HYBRID_KEX] : []),
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  // For clients that may use neither, such as those in FIPS mode; ssh-audit takes the curves of NIST for weak.
  "diffie-hellman-group16-sha512",
];

/** GCM first: with the CPU's AES it costs the least per byte. */
const CIPHERS = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
  "chacha20-poly1305@openssh.com",
  "aes128-ctr",
  "aes192-ctr",
  "aes256-ctr",
];

const MACS = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
];

/**
 * Signature algorithms a client's key may use, and an authority's; announced by `server-sig-algs` (RFC 8308 §3.1). Those with
 * certificates are not announced, as in OpenSSH: clients look for the name of the signature within.
 */
export const CLIENT_SIGNATURES = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
  "rsa-sha2-512",
  "rsa-sha2-256",
] as const;

export type SignatureAlgorithm = (typeof CLIENT_SIGNATURES)[number];

export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return (CLIENT_SIGNATURES as readonly string[]).includes(name);
}

/** How a key type, or a signature algorithm, is called with a certificate (OpenSSH PROTOCOL.certkeys). */
export function withCertificate(name: string): string {
  return `${name.replace(/@openssh\.com$/, "")}-cert-v01@openssh.com`;
}

/** The offer of a server whose host keys can sign with these algorithms. */
export function offerFor(hostKeyAlgorithms: readonly string[]): Offer {
  const direction = { cipher: CIPHERS, mac: MACS, compress: ["none"], lang: [] };
  return { kex: KEX, serverHostKey: hostKeyAlgorithms, cs: direction, sc: direction };
}
