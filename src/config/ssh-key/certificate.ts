import type { PublicKey } from "../types.ts";
import { Fields, wireString } from "./fields.ts";

/** How many fields the public key has in a certificate of each type (OpenSSH PROTOCOL.certkeys). */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ssh-dss": 4,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
  "sk-ssh-ed25519@openssh.com": 2,
  "sk-ecdsa-sha2-nistp256@openssh.com": 3,
};

const SUFFIX = /-cert-v01(?=@openssh\.com$)/;
export const HOST_CERTIFICATE = 2;

/** What is said of a key by a certificate: only what has to be known of it here. */
export interface CertificateHead {
  /** The wire format blob of the key that it is about. */
  readonly key: Buffer;
  /** 1 is for users, 2 for hosts. */
  readonly kind: number;
}

export function isCertificateType(type: string): boolean {
  return SUFFIX.test(type);
}

/** The head of a certificate; undefined when it cannot be read. Its signature is not looked at. */
export function certificateHead({
  type,
  blob,
}: Pick<PublicKey, "type" | "blob">): CertificateHead | undefined {
  const bare = type.replace(SUFFIX, "");
  // Those of plain keys are called `TYPE-cert-v01@openssh.com`, though their keys are not `TYPE@openssh.com`.
  const plain = bare.startsWith("sk-") ? bare : bare.replace(/@openssh\.com$/, "");
  const count = Object.hasOwn(KEY_FIELDS, plain) ? KEY_FIELDS[plain] : undefined;
  if (count === undefined || !isCertificateType(type)) return undefined;
  try {
    const fields = new Fields(blob);
    if (fields.text() !== type) return undefined;
    fields.string();
    const parts = [wireString(plain)];
    for (let left = count; left > 0; left -= 1) parts.push(wireString(fields.string()));
    fields.uint64();
    return { key: Buffer.concat(parts), kind: fields.uint32() };
  } catch {
    return undefined;
  }
}
