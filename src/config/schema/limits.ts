import { DEFAULT_LIMITS_CONFIG, type LimitsConfig } from "../access.ts";
import { defaulted, type Section } from "../decode/row.ts";
import { no, ok, refined, text, wholeNumber } from "../decode/value-type.ts";
import { durationBetween, size } from "./common.ts";

const MOST_CONNECTIONS = 100_000;
const MIB = 1024 ** 2;
const MOST_REKEY_BYTES = 64 * 1024 * MIB;

type Startups = LimitsConfig["startups"];

/** As sshd reads MaxStartups. A number alone: nobody is dropped below it, everybody from it on. */
const startups = refined(text, "string", (given) => {
  const numbers = /^\s*(\d{1,9})(?::(\d{1,9}):(\d{1,9}))?\s*$/.exec(given);
  if (numbers === null) return no('"BEGIN:PERCENT:FULL" is needed, such as "50:30:200", or one number.');
  const begin = Number(numbers[1]);
  const rate = Number(numbers[2] ?? 100);
  const full = Number(numbers[3] ?? begin);
  if (begin < 1 || full > MOST_CONNECTIONS)
    return no(`Its numbers of connections must be between 1 and ${MOST_CONNECTIONS}.`);
  if (rate < 1 || rate > 100) return no("The number in its middle is percent, from 1 to 100.");
  if (begin > full)
    return no("Its last number must not be less than the first: from that many on all are dropped.");
  return ok<Startups>({ begin, rate, full });
});

const rekeyBytes = refined(size, "size", (given) =>
  given >= MIB && given <= MOST_REKEY_BYTES ? ok(given) : no('It must be between "1MiB" and "64GiB".'),
);

/** `limits { … }` */
export const limitsTable = {
  loginGraceMs: defaulted(
    "login_grace",
    durationBetween("1s", "1h"),
    DEFAULT_LIMITS_CONFIG.loginGraceMs,
    '"30s"',
    "from the connection to an accepted login.",
  ),
  authTries: defaulted(
    "max_auth_tries",
    wholeNumber(1, 100),
    DEFAULT_LIMITS_CONFIG.authTries,
    "6",
    "login requests of one connection that may fail.",
  ),
  startups: defaulted(
    "max_startups",
    startups,
    DEFAULT_LIMITS_CONFIG.startups,
    '"50:30:200"',
    "connections that have not logged in: from the first number on some are dropped, percent of them first, all at the last.",
  ),
  connections: defaulted(
    "max_connections",
    wholeNumber(1, MOST_CONNECTIONS),
    DEFAULT_LIMITS_CONFIG.connections,
    "1000",
    "connections that have logged in.",
  ),
  channels: defaulted(
    "max_channels",
    wholeNumber(1, 65_536),
    DEFAULT_LIMITS_CONFIG.channels,
    "256",
    "channels of one connection.",
  ),
  clientTimeoutMs: defaulted(
    "client_timeout",
    durationBetween("1s", "24h"),
    DEFAULT_LIMITS_CONFIG.clientTimeoutMs,
    '"60s"',
    "how long a client may give no sign of life before its machines are given back.",
  ),
  rekeyBytes: defaulted(
    "rekey_bytes",
    rekeyBytes,
    DEFAULT_LIMITS_CONFIG.rekeyBytes,
    '"1GiB"',
    "bytes in either direction after which keys are exchanged anew.",
  ),
  rekeyMs: defaulted(
    "rekey_interval",
    durationBetween("1s", "24h"),
    DEFAULT_LIMITS_CONFIG.rekeyMs,
    '"1h"',
    "how long keys are used.",
  ),
};

export function limitsConfig([section]: readonly Section<typeof limitsTable>[]): LimitsConfig {
  return section?.values ?? DEFAULT_LIMITS_CONFIG;
}
