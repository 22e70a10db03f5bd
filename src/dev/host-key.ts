import ssh2 from "ssh2";

const PREFIX = "SSH_HOST_ED25519_KEY:";

/** A new ed25519 key pair: the private half in OpenSSH format, the public one as an authorized_keys line. */
export function generateKeyPair(comment: string): { private: string; public: string } {
  return ssh2.utils.generateKeyPairSync("ed25519", { comment });
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
