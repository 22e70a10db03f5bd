import ssh2, { type ParsedKey } from "ssh2";
import type { HostKeyConfig } from "../config/access.ts";
import { LazysshError } from "../util/errors.ts";

/** Host keys by the signature algorithm that they serve, best first. */
export type HostKeys = Readonly<Record<string, ParsedKey>>;

/** @throws LazysshError `CONFIG_INVALID`; see {@link readHostKey}. */
export function readHostKeys(keys: readonly HostKeyConfig[]): HostKeys {
  return Object.assign({}, ...keys.map(({ key }) => readHostKey(key)).reverse()) as HostKeys;
}

/**
 * Reads a private host key in PEM or OpenSSH format.
 *
 * @throws LazysshError `CONFIG_INVALID` when it is no private key, is encrypted, or is of a type no client should trust.
 */
export function readHostKey(text: string): HostKeys {
  // For some damaged keys it answers an empty list, whatever its types say.
  const parsed: ParsedKey | Error | readonly ParsedKey[] = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : (parsed as ParsedKey | Error);
  if (key === undefined || key instanceof Error) {
    throw invalid(`cannot be read (${key?.message ?? "it is empty"})`);
  }
  if (!key.isPrivateKey()) throw invalid("is a public key, but the private one is needed");
  switch (key.type) {
    case "ssh-ed25519":
    case "ecdsa-sha2-nistp256":
    case "ecdsa-sha2-nistp384":
    case "ecdsa-sha2-nistp521":
      return { [key.type]: key };
    case "ssh-rsa":
      return { "rsa-sha2-512": key, "rsa-sha2-256": key };
    default:
      throw invalid(`has the type ${key.type}, which is not supported`);
  }
}

function invalid(why: string): LazysshError {
  return new LazysshError(
    "CONFIG_INVALID",
    `server.host_key ${why}: give an unencrypted private key, as \`ssh-keygen -t ed25519 -N ''\` makes`,
  );
}
