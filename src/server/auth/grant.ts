import type { AuthorizedKey, UserConfig } from "../../config/access.ts";
import type { Permissions } from "../identity.ts";
import { fingerprint, type PublicKey, readPublicKey, sameKey } from "../public-key.ts";
import { isFrom } from "./address.ts";
import { flawOf, rightsOf } from "./certificate.ts";
import type { Credential } from "./credential.ts";
import type { Attendance } from "./signature.ts";

/** What somebody gets who proves to have the key. */
export interface Grant {
  readonly user: string;
  readonly key: PublicKey;
  readonly permissions: Permissions;
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
}

/** Under which users' lines a credential is looked for. */
export interface Search {
  readonly users: readonly UserConfig[];
  /** Whether the login name is one for this user. */
  readonly isFor: (user: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly address: string;
}

/**
 * The first line of the first user that lets a credential in; else why the first line that has it does not, as sshd does it.
 *
 * All lines of all users are looked at, whatever the login name is, whichever has it, and whether one has been found: what is done
 * depends on the key alone, so that its time tells nobody whose name exists. Only who has a key that is in the config causes more work, and
 * the same for every name.
 */
export function findGrant(shown: Credential, search: Search): Grant | { readonly problem: string } {
  let granted: Grant | undefined;
  let problem: string | undefined;
  const flaw = flawOfShown(shown, search);
  for (const user of search.users) {
    for (const line of user.keys) {
      if (!isOn(line, shown)) continue;
      const found = flaw ?? grantOf(line, user, shown, search);
      if (!search.isFor(user.name)) continue;
      if (typeof found === "string") problem ??= found;
      else granted ??= found;
    }
  }
  return granted ?? { problem: problem ?? unknown(shown) };
}

/** Whether the line has the key, or the key that signed the certificate. */
export function isOn(line: AuthorizedKey, { key, certificate }: Credential): boolean {
  const same = sameKey(line.key.blob, certificate ? certificate.authority : key);
  return same && line.certAuthority === (certificate !== undefined);
}

/**
 * What is wrong with a credential wherever it is found. The signature of an authority is checked only when somebody trusts it: keys of
 * strangers are not worth the time.
 */
function flawOfShown(shown: Credential, { users, now, address }: Search): string | undefined {
  const { certificate } = shown;
  if (!certificate) return undefined;
  const trusted = users.some(({ keys }) => keys.some((line) => isOn(line, shown)));
  const flaw = trusted ? flawOf(certificate, now, address) : undefined;
  return flaw && `${nameOf(shown)} cannot be used: ${flaw}`;
}

/** What the line gives, or why it gives nothing. */
function grantOf(
  line: AuthorizedKey,
  user: UserConfig,
  shown: Credential,
  { now, address }: Search,
): Grant | string {
  const { certificate } = shown;
  const who = nameOf(shown);
  if (certificate) {
    const principals = line.principals ?? [user.name];
    if (!certificate.principals.some((name) => principals.includes(name))) {
      return `${who} is for ${quoted(certificate.principals)}, not for ${quoted(principals)} (${line.source})`;
    }
  }
  if (line.from && !isFrom(address, line.from))
    return `${who} may not be used from ${address} (${line.source})`;
  if (line.expiresAt !== undefined && now >= line.expiresAt) {
    return `${who} could be used until ${new Date(line.expiresAt).toISOString()} (${line.source})`;
  }
  const rights = certificate && rightsOf(certificate);
  if (line.command !== undefined && rights?.command !== undefined && line.command !== rights.command) {
    return `${who} forces another command than its line does (${line.source})`;
  }
  let key: PublicKey;
  try {
    key = readPublicKey(shown.key);
  } catch (error) {
    return `${who} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
  return {
    user: user.name,
    key,
    permissions: {
      forwarding: line.forwarding && (rights?.forwarding ?? true),
      targets: user.targets,
      permitOpen: line.permitOpen,
      commands: user.commands,
      command: line.command ?? rights?.command,
      maxMachines: user.maxMachines,
    },
    // Both must do without it, and either may ask for more.
    touchRequired: line.touchRequired || (rights?.touchRequired ?? false),
    verifyRequired: line.verifyRequired || (rights?.verifyRequired ?? false),
  };
}

/** Why somebody with this credential does not get in though the signature is right. */
export function missingAttendance(grant: Grant, token: Attendance | undefined): string | undefined {
  if (!token) return undefined;
  if (grant.touchRequired && !token.present) return "its token was not touched";
  if (grant.verifyRequired && !token.verified)
    return "its token did not verify who uses it, by PIN or finger";
  return undefined;
}

function unknown({ key, certificate }: Credential): string {
  if (!certificate) return `key ${fingerprint(key)} is not authorized`;
  return `certificate "${certificate.id}" is signed by ${fingerprint(certificate.authority)}, which is no authority here`;
}

/** For the log. */
export function nameOf({ key, certificate }: Credential): string {
  return certificate
    ? `certificate "${certificate.id}" of key ${fingerprint(key)}`
    : `key ${fingerprint(key)}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
