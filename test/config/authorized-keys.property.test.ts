import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AuthorizedKey } from "../../src/config/access.ts";
import { OPTION_NAMES } from "../../src/config/authorized-keys/options.ts";
import { readAuthorizedKeys } from "../../src/config/authorized-keys/read.ts";
import { authorizedKey } from "./support.ts";

const read = (text: string) => readAuthorizedKeys(text, (line) => `line ${line}`);
const [type = "", encoded = ""] = authorizedKey.split(" ");

describe("whatever the line", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...OPTION_NAMES,
      `${type} ${encoded}`,
      type,
      encoded,
      '"',
      '\\"',
      "\\",
      ",",
      "=",
      " ",
      "\t",
      ":",
      "22",
      "*",
      "#",
      "no-",
    ),
    fc.string({ maxLength: 8 }),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  const line = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

  test("reading it never throws, and each line is a key, a refusal, or nothing", () => {
    fc.assert(
      fc.property(line, (text) => {
        const { keys, refused } = read(text);
        expect(keys.length + refused.length).toBeLessThanOrEqual(text.split("\n").length);
      }),
      { numRuns: 5_000 },
    );
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,11}$/);
  const word = fc.string({ maxLength: 20 }).map((text) => text.replace(/[\r\n\\]/g, "_"));
  const permit = fc.record({
    host: fc.oneof(
      name,
      fc.ipV6().filter((ip) => !ip.includes(".")),
    ),
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
  });
  const options = fc.record({
    certAuthority: fc.boolean(),
    principals: fc.option(fc.array(name, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    from: fc.option(
      fc.array(fc.oneof(fc.ipV4(), fc.constantFrom("10.0.0.0/8", "!192.0.2.*", "2001:db8::/32")), {
        minLength: 1,
      }),
      { nil: undefined },
    ),
    expiresAt: fc.option(
      fc.integer({ min: 1, max: 250_000_000_000 }).map((seconds) => seconds * 1000),
      { nil: undefined },
    ),
    forwarding: fc.boolean(),
    permitOpen: fc.option(fc.array(permit, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    command: fc.option(word, { nil: undefined }),
    touchRequired: fc.boolean(),
    verifyRequired: fc.boolean(),
  });

  test("options that are written are read again", () => {
    fc.assert(
      fc.property(options, (given) => {
        const { certAuthority, principals } = given;
        const wanted = { ...given, principals: certAuthority ? principals : undefined };
        const { keys } = read(`${written(wanted)} ${authorizedKey}`);
        expect(keys).toMatchObject([wanted]);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Options as a person would write them. */
function written(given: Omit<AuthorizedKey, "key" | "source">): string {
  const quoted = (name: string, value: string) => `${name}="${value.replaceAll('"', '\\"')}"`;
  const time = (ms: number) => `${new Date(ms).toISOString().replace(/[-:T]|\..*/g, "")}Z`;
  return [
    ...(given.certAuthority ? ["cert-authority"] : []),
    ...(given.principals ? [quoted("principals", given.principals.join(","))] : []),
    ...(given.from ? [quoted("from", given.from.join(","))] : []),
    ...(given.expiresAt === undefined ? [] : [quoted("expiry-time", time(given.expiresAt))]),
    ...(given.forwarding ? [] : ["restrict"]),
    ...(given.permitOpen ?? []).map(({ host, port }) =>
      quoted("permitopen", `${host.includes(":") ? `[${host}]` : host}:${port ?? "*"}`),
    ),
    ...(given.command === undefined ? [] : [quoted("command", given.command)]),
    ...(given.touchRequired ? [] : ["no-touch-required"]),
    ...(given.verifyRequired ? ["verify-required"] : []),
  ].join(",");
}
