import type { Decoder } from "../decode/decoder.ts";
import type { Section } from "../decode/row.ts";
import type { Span } from "../source.ts";
import { fingerprint } from "../ssh-key/public-key.ts";
import type { PublicKey } from "../types.ts";
import { intersect } from "./patterns.ts";
import { userConfig, type userTable } from "./user.ts";

/** The user of the one `authorized_key`, and the login name that everybody has. */
export const JUMP = "jump";

const NAME = /^(?!-)[\w.-]{1,64}$/;

interface Users {
  readonly authorizedKey: PublicKey | undefined;
  readonly users: readonly Section<typeof userTable>[];
  /** Names of all targets. */
  readonly targets: readonly string[];
  /** Of the server block. */
  readonly header: Span;
}

/** What no user block shows by itself: names, whether anybody can come in at all, and what the targets have to do with it. */
export function checkUsers({ authorizedKey, users, targets, header }: Users, decoder: Decoder): void {
  if (!authorizedKey && users.length === 0) {
    const detail =
      'Nobody could log in: write authorized_key, or a block user "NAME" { authorized_keys = [ … ] }.';
    decoder.error(header, "Missing required argument", detail);
  }
  const names = new Set<string>();
  const owners = new Map<string, string>();
  if (authorizedKey) owners.set(fingerprint(authorizedKey.blob), JUMP);
  for (const section of users) {
    const { name, keys, targets: wanted } = userConfig(section);
    checkName(name, section.header, authorizedKey !== undefined, decoder);
    if (names.has(name))
      decoder.error(
        section.header,
        "Duplicate user",
        `There is a user "${name}" already. Give all keys to one block.`,
      );
    names.add(name);
    if (keys.length === 0) {
      const detail = `User "${name}" has no key that could log in: give authorized_keys, authorized_keys_file or trusted_user_ca_keys.`;
      decoder.error(section.header, "User without keys", detail);
    }
    for (const { key, certAuthority, source } of keys) {
      if (certAuthority) continue;
      const print = fingerprint(key.blob);
      const owner = owners.get(print);
      if (owner !== undefined && owner !== name) {
        const detail = `${source}: user "${owner}" has the key ${print} as well. Who logs in with it as "${JUMP}" is "${owner}", for that is the first.`;
        decoder.warning(section.header, "Key of two users", detail);
      }
      owners.set(print, owner ?? name);
    }
    const idle = (wanted ?? []).filter((pattern) => !targets.some((target) => intersect(pattern, target)));
    if (idle.length > 0) {
      const list = idle.map((pattern) => `"${pattern}"`).join(", ");
      const detail = `There is no target that ${list} could mean, so that user "${name}" reaches nothing by it.`;
      decoder.warning(section.span("targets"), "No such target", detail);
    }
  }
}

function checkName(name: string, header: Span, hasJump: boolean, decoder: Decoder): void {
  if (name === JUMP && hasJump) {
    const detail = `The key in authorized_key is that of user "${JUMP}". Give the block another name, or move that key into it and take authorized_key away.`;
    decoder.error(header, "Duplicate user", detail);
  } else if (name.startsWith("boot+")) {
    const detail = 'Login names that begin with "boot+" bring the name of a target: nobody can be called so.';
    decoder.error(header, "Invalid user name", detail);
  } else if (!NAME.test(name)) {
    const detail =
      'The name of a user has 1 to 64 letters, digits, ".", "_" and "-", and does not begin with "-".';
    decoder.error(header, "Invalid user name", detail);
  }
}
