import { type AuthorizedKey, USER_COMMANDS, type UserConfig } from "../access.ts";
import { NO_OPTIONS } from "../authorized-keys/options.ts";
import type { Decoder } from "../decode/decoder.ts";
import { blocks, defaulted, optional, requiredUnless, type Section } from "../decode/row.ts";
import { no, ok, refined, text, wholeNumber } from "../decode/value-type.ts";
import { NOTHING_REVOKED } from "../revoked/read.ts";
import { weakness } from "../ssh-key/public-key.ts";
import type { PublicKey, ServerConfig } from "../types.ts";
import { durationBetween, hostPort, path, publicKey } from "./common.ts";
import { hostCertificates, hostKey, hostKeyConfigs, hostKeys } from "./host-keys.ts";
import { limitsConfig, limitsTable } from "./limits.ts";
import { MOST_MACHINES } from "./machine.ts";
import { revokedKeysFile } from "./revoked.ts";
import { userConfig, userTable } from "./user.ts";
import { checkUsers, JUMP } from "./users-check.ts";

/** Each has memory of its own, some 60 MiB. */
const MOST_WORKERS = 64;

const authorizedKey = publicKey(
  {
    options: "The options before the key are not applied.",
    others: "Only the first key may log in; the others are ignored.",
    instead: 'A block user "NAME" { authorized_keys = [ … ] } takes all keys, with their options.',
  },
  weakness,
);

/** It becomes the value of a tag and part of names, so it is kept to what every cloud takes. */
const group = refined(text, "string", (given) =>
  /^[\w.-]{1,64}$/.test(given)
    ? ok(given)
    : no('The name of a group has 1 to 64 letters, digits, ".", "_" and "-".'),
);

/** `server { … }` */
export const serverTable = {
  listen: defaulted(
    "listen",
    hostPort("7922"),
    { host: "localhost", port: 7922 },
    '"localhost:7922"',
    "where to accept connections. An empty host means every address, port 0 a port that the system chooses.",
  ),
  hostKey: requiredUnless(
    ["host_keys"],
    "host_key",
    hostKey,
    "private key that the jump host proves itself with, in PEM or OpenSSH format, without a passphrase.",
    { sensitive: true },
  ),
  hostKeys: optional(
    "host_keys",
    hostKeys,
    "several of them, of which the first of each type is used, and the others are announced.",
    { sensitive: true },
  ),
  hostCertificates: defaulted(
    "host_certificates",
    hostCertificates,
    [],
    "none",
    "certificates of host keys, so that clients that trust the authority need not know the keys.",
  ),
  authorizedKey: requiredUnless(
    ["user"],
    "authorized_key",
    authorizedKey,
    "public key that may log in as user `jump`, in the format of authorized_keys. The first key in it counts.",
  ),
  revoked: defaulted(
    "revoked_keys_file",
    revokedKeysFile,
    NOTHING_REVOKED,
    "none",
    "file with keys and certificates that may not log in any more: a list of public keys, or what `ssh-keygen -k` reads or writes.",
  ),
  drainMs: defaulted(
    "drain_timeout",
    durationBetween("0s", "24h"),
    0,
    '"0s"',
    "how long connections may go on after SIGTERM before they are ended.",
  ),
  stateDir: optional(
    "state_dir",
    path,
    "folder where machines are written down before they are started, so that none is forgotten.",
  ),
  group: optional(
    "group",
    group,
    "servers of the same group share the machines of the targets that they have in common. Default: the machines are this server's own.",
  ),
  maxMachines: optional(
    "max_machines",
    wholeNumber(1, MOST_MACHINES),
    "how many machines of all targets may exist at once. Default: any number.",
  ),
  metrics: optional(
    "metrics",
    hostPort("9922"),
    "where metrics for Prometheus are served over HTTP, at `/metrics`. Default: nowhere.",
  ),
  workers: defaulted(
    "workers",
    wholeNumber(0, MOST_WORKERS),
    0,
    "0",
    "processes that connections are spread over, for many of them on a machine with cores to spare. With 0 or 1 there is no other process.",
  ),
  limits: blocks("limits", limitsTable, "what one client may cost, and how long it may take.", 1),
  users: blocks(
    "user",
    userTable,
    "somebody who may log in, with keys or certificates of their own.",
    Number.POSITIVE_INFINITY,
    ["name"],
  ),
};

/** `targets` are the names of all targets. */
export function serverConfig(
  section: Section<typeof serverTable>,
  targets: readonly string[],
  decoder: Decoder,
): ServerConfig {
  const { hostKey, hostKeys, hostCertificates, authorizedKey, users, limits, ...others } = section.values;
  const keys = [...(hostKey ? [hostKey] : []), ...(hostKeys ?? [])];
  if (keys.length === 0) {
    decoder.error(
      section.header,
      "Missing required argument",
      'One of "host_key" and "host_keys" is needed.',
    );
  }
  checkUsers({ authorizedKey, users, targets, header: section.header }, decoder);
  return {
    ...others,
    hostKeys: hostKeyConfigs(keys, hostCertificates, (...words) =>
      decoder.error(section.span("hostCertificates"), ...words),
    ),
    users: [...(authorizedKey ? [jumpUser(authorizedKey)] : []), ...users.map(userConfig)],
    limits: limitsConfig(limits),
  };
}

/** The user of the one `authorized_key`: may do everything. */
function jumpUser(key: PublicKey): UserConfig {
  const only: AuthorizedKey = { ...NO_OPTIONS, key, source: "authorized_key" };
  return { name: JUMP, keys: [only], targets: undefined, commands: USER_COMMANDS, maxMachines: undefined };
}
