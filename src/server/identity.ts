import type { PermitOpen, UserCommand } from "../config/access.ts";
import type { Who } from "../observe/events.ts";

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
