import ssh2 from "ssh2";

/** Two strings with their lengths: the type, and 32 bytes (RFC 8709 §4). */
const ED25519_BLOB_BYTES = 4 + "ssh-ed25519".length + 4 + 32;

const PREFIX = "SSH_HOST_ED25519_KEY:";

/** A new ed25519 key pair: the private half in OpenSSH format, the public one as an authorized_keys line. */
export function generateKeyPair(comment: string): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    if (isWhole(pair)) return pair;
  }
}

/** ssh2 drops a leading zero byte of the key (one pair in some four hundred), and then cannot read it itself. */
function isWhole(pair: { private: string; public: string }): boolean {
  const blob = Buffer.from(pair.public.split(" ")[1] ?? "", "base64");
  // For some damaged keys it answers an empty list, whatever its types say.
  const key = [ssh2.utils.parseKey(pair.private)].flat()[0];
  if (key === undefined || key instanceof Error) return false;
  return blob.length === ED25519_BLOB_BYTES && key.getPublicSSH().equals(blob);
}

/** The lines by which user data gives a NixOS image its host key: each newline of the key written as `|`. */
export function hostKeyLines(pair: { private: string; public: string }): string {
  return `${PREFIX}${pair.private.trim().replaceAll("\n", "|")}\nSSH_HOST_ED25519_KEY_PUB:${pair.public.trim()}\n`;
}

/** The host key that user data gives, or a new one: as an image does that takes its key from there before sshd starts. */
export function hostKeyFrom(userData: string | undefined): string {
  const line = userData?.split(/\r?\n/).find((text) => text.trimStart().startsWith(PREFIX));
  if (line === undefined) return generateKeyPair("generated at boot").private;
  return `${line.trim().slice(PREFIX.length).trim().replaceAll("|", "\n")}\n`;
}
