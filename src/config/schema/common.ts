import { listOf, no, ok, refined, text, wholeNumber } from "../decode/value-type.ts";
import { parseDuration } from "../duration.ts";
import { parseAuthorizedKeys, parseHostKey } from "../keys.ts";
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

/** What a channel may reach. */
export const ports = refined(listOf(wholeNumber(1, 65_535)), "list of numbers", (given) =>
  given.length > 0
    ? ok([...new Set(given)])
    : no("Without any port nobody could connect: leave it out to allow all."),
);

/** The same words for all types of targets. */
export const PORTS_DOC = "TCP ports of the machine that connections may reach. Default: any.";

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
  const result = parseHostKey(given);
  return "key" in result ? ok(result.key) : no(result.problem);
});

/** The first key of a text in the format of authorized_keys. The words are what is told of what is passed over. */
export const publicKey = (words: { readonly options: string; readonly others: string }) =>
  refined(text, "public key", (given) => {
    const { key, hasOptions, ignored, problem } = parseAuthorizedKeys(given);
    if (key === undefined) return no(problem ?? "There is no public key in it.");
    const unused = [...(hasOptions ? [words.options] : []), ...(ignored > 0 ? [words.others] : [])];
    return ok<PublicKey>(key, unused.length > 0 ? unused.join(" ") : undefined);
  });
