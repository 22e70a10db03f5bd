import {
  type Conversion,
  listOf,
  no,
  ok,
  refined,
  text,
  type ValueType,
  wholeNumber,
} from "../decode/value-type.ts";
import { parseDuration, parseLongDuration } from "../duration.ts";
import { firstKeyOf, parsePrivateKey } from "../keys.ts";
import type { HostPort, PublicKey } from "../types.ts";

/** Text that is not empty. */
export const word = refined(text, "string", (given) =>
  given.trim() === "" ? no("It must not be empty.") : ok(given),
);

export const duration = refined(text, "duration", (given) => {
  if (given.trim() === "") return ok(0);
  const result = parseDuration(given);
  return "ms" in result ? ok(result.ms) : no(result.problem);
});

export const positiveDuration = refined(duration, "duration", (ms) =>
  ms > 0 ? ok(ms) : no("It must be longer than nothing."),
);

/** Longer than nothing, and days (`d`) and weeks (`w`) are units too. */
export const longDuration = refined(text, "duration", (given) => {
  const result = parseLongDuration(given.trim());
  if ("problem" in result) return no(result.problem);
  return result.ms > 0 ? ok(result.ms) : no("It must be longer than nothing.");
});

/** What a channel may reach. */
export const ports = refined(listOf(wholeNumber(1, 65_535)), "list of numbers", (given) =>
  given.length > 0
    ? ok([...new Set(given)])
    : no("Without any port nobody could connect: leave it out to allow all."),
);

/** The same words for all types of targets. */
export const PORTS_DOC = "TCP ports of the machine that connections may reach. Default: any.";

const SIZE = /^(\d{1,15}(?:\.\d{1,3})?)\s*(?:([KMG])(?:iB)?|B)?$/i;
const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A number of bytes: `"1GiB"`, `"512MiB"`, `1073741824`. */
export const size = refined(text, "size", parseSize);

export function parseSize(given: string): Conversion<number> {
  const [, amount, unit = ""] = SIZE.exec(given.trim()) ?? [];
  if (amount === undefined)
    return no('A size such as "1GiB" or "512MiB", or a number of bytes, is needed (units: KiB, MiB, GiB).');
  return ok(Math.round(Number(amount) * (UNITS[unit.toUpperCase()] ?? 1)));
}

/** A duration within bounds, which are told as they are written here. */
export function durationBetween(least: string, most: string): ValueType<number> {
  const ms = (words: string): number => {
    const parsed = parseDuration(words);
    return "ms" in parsed ? parsed.ms : 0;
  };
  return refined(duration, "duration", (given) =>
    given >= ms(least) && given <= ms(most) ? ok(given) : no(`It must be between "${least}" and "${most}".`),
  );
}

const HOST_PORT = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;

/** An address to listen on; `example` is shown to who gives another. */
export const hostPort = (example: string) =>
  refined(text, "host:port", (given) => {
    const match = HOST_PORT.exec(given.trim());
    const port = Number(match?.[3]);
    if (match && port <= 65_535) return ok<HostPort>({ host: match[1] ?? match[2] ?? "", port });
    return no(
      `"host:port" is needed, such as "localhost:${example}", ":${example}" for every address, or "[::1]:${example}"; a port is a number from 0 to 65535.`,
    );
  });

export const privateKey = refined(text, "private key", (given) => {
  const result = parsePrivateKey(given);
  return "key" in result ? ok(result.key) : no(result.problem);
});

export interface KeyWords {
  /** What is told when options stand before the key. */
  readonly options: string;
  /** What is told of keys after the first. */
  readonly others: string;
  /** What to do about either. */
  readonly instead?: string;
}

/** The first key of a text in the format of authorized_keys. `unfit` says why it will not do. */
export const publicKey = (words: KeyWords, unfit: (key: PublicKey) => string | undefined) =>
  refined(text, "public key", (given) => {
    const { key, hasOptions, ignored, problem } = firstKeyOf(given);
    if (key === undefined) return no(problem ?? "There is no public key in it.");
    const reason = unfit(key);
    if (reason) return no(reason);
    const unused = [...(hasOptions ? [words.options] : []), ...(ignored > 0 ? [words.others] : [])];
    if (unused.length === 0) return ok<PublicKey>(key);
    return ok<PublicKey>(key, [...unused, ...(words.instead ? [words.instead] : [])].join(" "));
  });

export const path = refined(text, "path", (given) =>
  given.trim() === "" ? no("A path must not be empty.") : ok(given),
);
