import type { HostKeyConfig } from "../access.ts";
import { listOf, no, ok, refined, text } from "../decode/value-type.ts";
import { parsePrivateKey } from "../keys.ts";
import { certificateHead, HOST_CERTIFICATE, isCertificateType } from "../ssh-key/certificate.ts";
import { fingerprint, HOST_KEY_TYPES, weakness } from "../ssh-key/public-key.ts";
import type { PublicKey } from "../types.ts";

/** A private key that the server can prove itself with, and what is public of it. */
interface HostKey {
  readonly key: string;
  readonly type: string;
  readonly publicBlob: Buffer;
}

interface HostCertificate {
  readonly certificate: PublicKey;
  /** The wire format blob of the key that it is about. */
  readonly key: Buffer;
}

export const hostKey = refined(text, "private key", (given) => {
  const result = parsePrivateKey(given);
  if ("problem" in result) return no(result.problem);
  const { type, publicBlob } = result;
  if (!HOST_KEY_TYPES.includes(type)) {
    return no(
      `Host keys of the type ${type} are not supported: Ed25519, ECDSA and RSA are. Make one with: ${MAKE}`,
    );
  }
  const weak = weakness({ type, blob: publicBlob });
  return weak ? no(`${weak} -N "" -f host_key`) : ok<HostKey>(result);
});

const MAKE = 'ssh-keygen -t ed25519 -N "" -f host_key';

const hostCertificate = refined(text, "certificate", (given) => {
  const lines = given.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("#"));
  const [, type = "", encoded = "", comment = ""] =
    /^([\w@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*))?$/.exec(lines[0]?.trim() ?? "") ?? [];
  if (lines.length > 1) return no("Each certificate is an item of its own.");
  if (!isCertificateType(type)) {
    return no(
      'A host certificate is needed, as `ssh-keygen -h -s CA -I NAME -n HOSTNAMES host_key.pub` writes it: file("host_key-cert.pub").',
    );
  }
  const certificate = { type, blob: Buffer.from(encoded, "base64"), comment };
  const head = certificateHead(certificate);
  if (head === undefined) return no("This certificate is damaged, or of a kind that is not supported.");
  if (head.kind !== HOST_CERTIFICATE)
    return no("This is a certificate for a user. One for a host is made with: ssh-keygen -h -s CA …");
  return ok<HostCertificate>({ certificate, key: head.key });
});

export const hostKeys = refined(listOf(hostKey), "list of private keys", (given) =>
  given.length > 0 ? ok(given) : no("There is no key in it."),
);
export const hostCertificates = refined(listOf(hostCertificate), "list of certificates", (given) =>
  ok(given),
);

/**
 * Each key once, with its certificate. Of several of one type the first proves the server, and the others are announced to clients, so that
 * they know the next key before it is used.
 *
 * @param report Told what does not fit together.
 */
export function hostKeyConfigs(
  keys: readonly HostKey[],
  certificates: readonly HostCertificate[],
  report: (summary: string, detail: string) => void,
): readonly HostKeyConfig[] {
  const distinct = keys.filter(
    ({ publicBlob }, index) => keys.findIndex((other) => other.publicBlob.equals(publicBlob)) === index,
  );
  const used = new Map<HostKey, PublicKey>();
  for (const { certificate, key } of certificates) {
    const owner = distinct.find(({ publicBlob }) => publicBlob.equals(key));
    if (owner === undefined) {
      const detail = `The certificate of the key ${fingerprint(key)} (${certificate.type}) belongs to none of the host keys. Sign the public key of one of them, or add that key to host_keys.`;
      report("Certificate without its key", detail);
    } else if (used.has(owner)) {
      const detail = `There are two certificates of the key ${fingerprint(key)}. Take one away.`;
      report("Two certificates of one key", detail);
    } else used.set(owner, certificate);
  }
  return distinct.map((owner) => ({ key: owner.key, certificate: used.get(owner) }));
}
