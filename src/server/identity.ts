import type { PermitOpen, UserCommand } from "../config/access.ts";
import type { ServerConfig } from "../config/types.ts";
import type { Who } from "../observe/events.ts";
import { fingerprint } from "./public-key.ts";

/** Who has logged in, as the log names them. */
export interface Identity {
  /** Name of the user in the config, whatever login name was used. */
  readonly user: string;
  /** Fingerprint of the key that signed. */
  readonly key: string;
  /** Undefined: the key itself is authorized. */
  readonly certificate: CertificateId | undefined;
  readonly permissions: Permissions;
}

export interface CertificateId {
  readonly id: string;
  /** A 64-bit number, in decimal. */
  readonly serial: string;
  /** Fingerprint of the key that signed the certificate. */
  readonly authority: string;
}

/** What is open to somebody: what the user may, less what the key and its certificate take away. */
export interface Permissions {
  /** Whether channels to targets may be opened at all. */
  readonly forwarding: boolean;
  /** Patterns of target names. Undefined: all. */
  readonly targets: readonly string[] | undefined;
  /** Undefined: whatever the target's own `ports` allow. */
  readonly permitOpen: readonly PermitOpen[] | undefined;
  readonly commands: readonly UserCommand[];
  /** The only command that may be run, whatever is asked for. */
  readonly command: string | undefined;
  /** How many machines the user may have at once. */
  readonly maxMachines: number | undefined;
}

/** For the log. */
export function whoIs({ user, key, certificate }: Identity): Who {
  if (!certificate) return { user, key };
  const { id, serial, authority } = certificate;
  return { user, key, certificate: id, serial, authority };
}

/**
 * Why somebody who has logged in would not be let in any more, as far as that can be said without another login; undefined: there is no
 * reason.
 */
export function whyNoMore(
  { user, key, certificate }: Identity,
  { users, revoked }: Pick<ServerConfig, "users" | "revoked">,
): string | undefined {
  const known = users.find(({ name }) => name === user);
  if (!known) return `user "${user}" is not configured on this jump host any more`;
  const vouching = certificate?.authority ?? key;
  const isVouching = known.keys.some(
    (one) => one.certAuthority === (certificate !== undefined) && fingerprint(one.key.blob) === vouching,
  );
  if (!isVouching) return `key ${vouching} of user "${user}" is not authorized on this jump host any more`;
  if (revoked.keys.has(key)) return `key ${key} was revoked`;
  if (!certificate) return undefined;
  const { id, serial, authority } = certificate;
  if (revoked.keys.has(authority)) return `key ${authority}, which signed the certificate, was revoked`;
  const signed = (by: string | undefined) => by === undefined || by === authority;
  const number = BigInt(serial);
  const isRevoked =
    revoked.ids.some((one) => signed(one.authority) && one.id === id) ||
    revoked.serials.some((one) => signed(one.authority) && one.from <= number && number <= one.to);
  return isRevoked ? `certificate "${id}" (serial ${serial}) was revoked` : undefined;
}
