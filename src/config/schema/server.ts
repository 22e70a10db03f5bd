import { defaulted, optional, required, type Section } from "../decode/row.ts";
import { no, ok, refined, text } from "../decode/value-type.ts";
import { parseAuthorizedKeys, parseHostKey } from "../keys.ts";
import type { HostPort, ServerConfig } from "../types.ts";

const LISTEN = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;

const listen = refined(text, "host:port", (given) => {
  const match = LISTEN.exec(given.trim());
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return ok<HostPort>({ host: match[1] ?? match[2] ?? "", port });
  return no(
    '"host:port" is needed, such as "localhost:7922", ":7922" for every address, or "[::1]:7922"; a port is a number from 0 to 65535.',
  );
});

const hostKey = refined(text, "private key", (given) => {
  const result = parseHostKey(given);
  return "key" in result ? ok(result.key) : no(result.problem);
});

const authorizedKey = refined(text, "public key", (given) => {
  const { key, hasOptions, ignored, problem } = parseAuthorizedKeys(given);
  if (key === undefined) return no(problem ?? "There is no public key in it.");
  const unused = [
    ...(hasOptions ? ["The options before the key are not applied."] : []),
    ...(ignored > 0 ? ["Only the first key may log in; the others are ignored."] : []),
  ];
  return ok(key, unused.length > 0 ? unused.join(" ") : undefined);
});

const path = refined(text, "path", (given) =>
  given.trim() === "" ? no("A path must not be empty.") : ok(given),
);

/** `server { … }` */
export const serverTable = {
  listen: defaulted(
    "listen",
    listen,
    { host: "localhost", port: 7922 },
    '"localhost:7922"',
    "where to accept connections. An empty host means every address, port 0 a port that the system chooses.",
  ),
  hostKey: required(
    "host_key",
    hostKey,
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
};

export function serverConfig({ values }: Section<typeof serverTable>): ServerConfig {
  return { ...values, group: undefined, maxMachines: undefined, metrics: undefined };
}
