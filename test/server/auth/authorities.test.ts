import { afterAll, beforeAll, describe, test } from "vitest";
import { fingerprint, sha1Fingerprint } from "../../../src/server/public-key.ts";
import {
  type Accepted,
  type AuthCase,
  check,
  type Keys,
  line,
  makeKeys,
  trusts,
} from "../../harness/auth-case.ts";
import { userConfig } from "../../harness/server-config.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
}, 60_000);
afterAll(() => keys[Symbol.asyncDispose]());

describe("of the users who trust an authority", () => {
  const users = () => [
    userConfig("alice", [line(keys.other), trusts(keys.authority)]),
    userConfig("bob", [
      trusts(keys.authority, { principals: ["dev", "bob"], command: "status" }),
      trusts(keys.authority),
    ]),
    userConfig("carol", [trusts(keys.authority, { principals: ["dev", "alice"], source: "cas line 3" })]),
  ];

  test.each<readonly [principals: string, login: string, string | Accepted]>([
    ["alice", "jump", { user: "alice" }],
    ["bob", "jump", { user: "bob", command: "status" }],
    ["dev", "jump", { user: "bob", command: "status" }],
    ["dev", "carol", { user: "carol" }],
    ["alice", "carol", { user: "carol" }],
    ["bob,carol", "carol", 'is for "bob", "carol", not for "dev", "alice" (cas line 3)'],
    ["dev", "alice", 'is for "dev", not for "alice"'],
    ["alice", "bob", 'is for "alice", not for "dev", "bob"'],
    ["alice", "boot+archiver", { user: "alice", boot: "archiver" }],
    ["alice", "dave", 'there is no user "dave"'],
    ["dave", "jump", "not for"],
    ["jump", "jump", "not for"],
  ])("a certificate for %j lets in as %j", async (principals, login, expected) => {
    const accepted = typeof expected === "string" ? expected : { certificate: {}, ...expected };
    check({ shown: await keys.certificate(["-n", principals]), users: users(), login, expected: accepted });
  });
});

describe("a certificate that is revoked", () => {
  const authority = () => fingerprint(keys.authority.blob);
  const other = "SHA256:of-another-authority";
  const cases: readonly (readonly [string, () => AuthCase["revoked"], string | Accepted])[] = [
    ["by its key", () => ({ keys: new Set([fingerprint(keys.ed25519.blob)]) }), "is revoked"],
    [
      "by its authority",
      () => ({ keys: new Set([authority()]) }),
      "which signed the certificate, is revoked",
    ],
    [
      "by its authority's old fingerprint",
      () => ({ keys: new Set([sha1Fingerprint(keys.authority.blob)]) }),
      "which signed the certificate, is revoked",
    ],
    [
      "by its serial",
      () => ({ serials: [{ authority: undefined, from: 42n, to: 42n }] }),
      "certificate 42 by SHA256:",
    ],
    [
      "by the range of its serial",
      () => ({ serials: [{ authority: authority(), from: 1n, to: 42n }] }),
      "is revoked",
    ],
    [
      "in a range that begins with it",
      () => ({ serials: [{ authority: authority(), from: 42n, to: 99n }] }),
      "is revoked",
    ],
    ["by its id", () => ({ ids: [{ authority: undefined, id: "id-7" }] }), 'certificate "id-7" by'],
    ["by its id, of its authority", () => ({ ids: [{ authority: authority(), id: "id-7" }] }), "is revoked"],
    [
      "not: the ranges are beside it",
      () => ({
        serials: [
          { authority: undefined, from: 0n, to: 41n },
          { authority: undefined, from: 43n, to: 2n ** 64n - 1n },
        ],
      }),
      {},
    ],
    [
      "not: the serial is of another authority",
      () => ({ serials: [{ authority: other, from: 0n, to: 99n }] }),
      {},
    ],
    ["not: the id is of another authority", () => ({ ids: [{ authority: other, id: "id-7" }] }), {}],
    ["not: the id only begins alike", () => ({ ids: [{ authority: undefined, id: "id-" }] }), {}],
    ["not: another key is", () => ({ keys: new Set([fingerprint(keys.other.blob)]) }), {}],
  ];

  test.each(cases)("%s", async (_, revoked, expected) => {
    const shown = await keys.certificate(["-n", "alice", "-z", "42"]);
    const accepted = typeof expected === "string" ? expected : { certificate: { serial: "42" } };
    check({ shown, lines: [trusts(keys.authority)], revoked: revoked() ?? {}, expected: accepted });
  });
});
