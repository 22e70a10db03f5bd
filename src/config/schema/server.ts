import { type AuthorizedKey, DEFAULT_LIMITS_CONFIG, USER_COMMANDS } from "../access.ts";
import { defaulted, optional, required, type Section } from "../decode/row.ts";
import { no, ok, refined, text, wholeNumber } from "../decode/value-type.ts";
import type { PublicKey, ServerConfig } from "../types.ts";
import { hostPort, privateKey, publicKey } from "./common.ts";
import { MOST_MACHINES } from "./machine.ts";

const authorizedKey = publicKey({
  options: "The options before the key are not applied.",
  others: "Only the first key may log in; the others are ignored.",
});

const path = refined(text, "path", (given) =>
  given.trim() === "" ? no("A path must not be empty.") : ok(given),
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
  hostKey: required(
    "host_key",
    privateKey,
    "private key that the jump host proves itself with, in PEM or OpenSSH format, without a passphrase.",
    { sensitive: true },
  ),
  authorizedKey: required(
    "authorized_key",
    authorizedKey,
    "public key that may log in as user `jump`, in the format of authorized_keys. The first key in it counts.",
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
};

export function serverConfig({ values }: Section<typeof serverTable>): ServerConfig {
  const { hostKey, authorizedKey, ...others } = values;
  return {
    ...others,
    hostKeys: [{ key: hostKey, certificate: undefined }],
    users: [
      {
        name: JUMP,
        keys: [plainKey(authorizedKey, "authorized_key")],
        targets: undefined,
        commands: USER_COMMANDS,
        maxMachines: undefined,
      },
    ],
    revoked: { keys: new Set(), serials: [], ids: [] },
    limits: DEFAULT_LIMITS_CONFIG,
    drainMs: 0,
  };
}

/** The user of the one `authorized_key`. */
const JUMP = "jump";

/** A key without any options. */
function plainKey(key: PublicKey, source: string): AuthorizedKey {
  return {
    key,
    source,
    certAuthority: false,
    principals: undefined,
    from: undefined,
    expiresAt: undefined,
    forwarding: true,
    permitOpen: undefined,
    command: undefined,
    touchRequired: true,
    verifyRequired: false,
  };
}
