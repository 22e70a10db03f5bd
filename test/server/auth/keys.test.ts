import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuthorizedKey } from "../../../src/config/access.ts";
import { CLIENT_SIGNATURES } from "../../../src/server/algorithms.ts";
import { fingerprint, sha1Fingerprint } from "../../../src/server/public-key.ts";
import {
  type Accepted,
  type AuthCase,
  check,
  type Keys,
  line,
  makeKeys,
  NOW,
  shownToken,
} from "../../harness/auth-case.ts";
import { userConfig } from "../../harness/server-config.ts";
import { softToken, type TokenOptions } from "../../harness/token.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
}, 60_000);
afterAll(() => keys[Symbol.asyncDispose]());

const OPTIONS: readonly (readonly [string, Partial<AuthorizedKey>, string | Accepted])[] = [
  ["no option", {}, { forwarding: true, permitOpen: undefined, command: undefined }],
  ["from its address", { from: ["192.0.2.0/24"] }, {}],
  ["from another address", { from: ["10.0.0.0/8"] }, "may not be used from 192.0.2.7 (authorized_keys)"],
  ["from everywhere else", { from: ["!192.0.2.7", "*"] }, "may not be used from 192.0.2.7"],
  ["expiry-time to come", { expiresAt: NOW + 1 }, {}],
  ["expiry-time now", { expiresAt: NOW }, "could be used until 2026-06-01T12:00:00.000Z (authorized_keys)"],
  ["no-port-forwarding", { forwarding: false }, { forwarding: false }],
  ["permitopen", { permitOpen: [{ host: "a", port: 22 }] }, { permitOpen: [{ host: "a", port: 22 }] }],
  ["command", { command: "status" }, { command: "status", forwarding: true }],
  ["cert-authority", { certAuthority: true }, "is not authorized"],
];

describe.each(CLIENT_SIGNATURES.map((name) => [name]))("a key that signs with %s", (name) => {
  const shown = () => keys.each[name] ?? keys.other;

  test.each(OPTIONS)("and has %s", (_, options, expected) => {
    check({ shown: shown(), lines: [line(shown(), options)], expected });
  });

  test("and is not in the config", () => {
    const expected = `key ${fingerprint(shown().blob)} is not authorized`;
    check({ shown: shown(), lines: [line(keys.other)], expected });
  });

  test.each([fingerprint, sha1Fingerprint])("and is revoked by its $name", (print) => {
    const expected = `key ${fingerprint(shown().blob)} is revoked`;
    check({
      shown: shown(),
      lines: [line(shown())],
      revoked: { keys: new Set([print(shown().blob)]) },
      expected,
    });
  });
});

describe("a key on a token", () => {
  const cases: readonly (readonly [string, TokenOptions, Partial<AuthorizedKey>, string | Accepted])[] = [
    ["touched", { flags: 1 }, {}, {}],
    ["touched, and verified for nothing", { flags: 5 }, {}, {}],
    ["not touched", { flags: 0 }, {}, "does not suffice: its token was not touched"],
    ["verified, but not touched", { flags: 4 }, {}, "does not suffice: its token was not touched"],
    ["not touched, with no-touch-required", { flags: 0 }, { touchRequired: false }, {}],
    ["verified, with verify-required", { flags: 5 }, { verifyRequired: true }, {}],
    [
      "touched only, with verify-required",
      { flags: 1 },
      { verifyRequired: true },
      "does not suffice: its token did not verify who uses it",
    ],
    [
      "with verify-required and no-touch-required, and neither",
      { flags: 0 },
      { verifyRequired: true, touchRequired: false },
      "does not suffice: its token did not verify who uses it",
    ],
    ["of another application", { application: "ssh:other" }, {}, "the signature by"],
    [
      "whose flags were changed on the way",
      { flags: 0, sent: Buffer.of(1, 0, 0, 0, 1) },
      {},
      "the signature by",
    ],
    ["whose counter was changed on the way", { sent: Buffer.of(1, 0, 0, 0, 0) }, {}, "the signature by"],
    ["with a counter of five bytes, signed", { seen: Buffer.of(1, 0, 0, 0, 0, 1) }, {}, "the signature by"],
    ["with flags only, signed", { seen: Buffer.of(1) }, {}, "the signature by"],
    ["without a counter", { sent: Buffer.of(1) }, {}, "the signature by"],
    ["without flags and counter", { sent: Buffer.alloc(0) }, {}, "the signature by"],
    ["with a byte behind", { trailing: Buffer.of(0) }, {}, "the signature by"],
    [
      "named as for a browser",
      { name: "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" },
      {},
      "the signature by",
    ],
    ["named as a key without token", { name: "ssh-ed25519" }, {}, "the signature by"],
  ];

  describe.each(["ed25519", "ecdsa"] as const)("%s", (kind) => {
    test.each(cases)("%s", (_, options, lineOptions, expected) => {
      const shown = shownToken(softToken(kind), options);
      check({ shown, lines: [line(shown, lineOptions)], expected });
    });

    test("made for another application than that of ssh", () => {
      const shown = shownToken(softToken(kind, "ssh:work"));
      check({ shown, lines: [line(shown)], expected: {} });
    });
  });

  test("that is not there is no matter of other keys", () => {
    check({ shown: keys.rsa, lines: [line(keys.rsa, { verifyRequired: true })], expected: {} });
  });
});

describe("of several lines", () => {
  const expectWith = (
    lines: (shown: Keys["ed25519"]) => readonly AuthorizedKey[],
    rest: Pick<AuthCase, "expected">,
  ) => check({ shown: keys.ed25519, lines: lines(keys.ed25519), ...rest });

  test("the first with the key counts", () => {
    expectWith(
      (key) => [line(keys.other), line(key, { command: "first" }), line(key, { command: "second" })],
      {
        expected: { command: "first" },
      },
    );
  });

  test("the first whose conditions hold counts", () => {
    expectWith(
      (key) => [
        line(key, { from: ["10.0.0.0/8"] }),
        line(key, { expiresAt: 0 }),
        line(key, { certAuthority: true }),
        line(key, { command: "fourth" }),
        line(key),
      ],
      { expected: { command: "fourth" } },
    );
  });

  test("the first says why, when none lets in", () => {
    expectWith((key) => [line(key, { expiresAt: 0, source: "keys line 7" }), line(key, { from: [] })], {
      expected: "could be used until 1970-01-01T00:00:00.000Z (keys line 7)",
    });
  });
});

describe("the login name", () => {
  const users = () => [
    userConfig("alice", [line(keys.ed25519)], { targets: ["a-*"], maxMachines: 2, commands: ["status"] }),
    userConfig("bob", [line(keys.rsa), line(keys.other)]),
    userConfig("carol", [
      line(keys.other, { from: ["10.0.0.0/8"] }),
      line(keys.ed25519, { command: "carol's" }),
    ]),
  ];

  test.each<readonly [string, "ed25519" | "rsa" | "other", string | Accepted]>([
    [
      "jump",
      "ed25519",
      { user: "alice", targets: ["a-*"], maxMachines: 2, commands: ["status"], command: undefined },
    ],
    ["jump", "rsa", { user: "bob", targets: undefined, maxMachines: undefined }],
    ["alice", "ed25519", { user: "alice" }],
    ["carol", "ed25519", { user: "carol", command: "carol's" }],
    ["bob", "ed25519", "is not authorized"],
    ["alice", "rsa", "is not authorized"],
    ["carol", "other", "may not be used from"],
    ["jump", "other", { user: "bob" }],
    ["boot+archiver", "other", { user: "bob", boot: "archiver" }],
    ["boot+alice", "rsa", { user: "bob", boot: "alice" }],
    ["boot+", "rsa", 'there is no user "boot+"'],
    ["Alice", "ed25519", 'there is no user "Alice", log in as "jump", or as "boot+TARGET"'],
    ["alice ", "ed25519", "there is no user"],
    ["", "ed25519", "there is no user"],
    ["dave", "rsa", "there is no user"],
  ])("%j with the key %s", (login, key, expected) => {
    check({ shown: keys[key], users: users(), login, expected });
  });

  test("is everybody's when it is jump, also where somebody is called so", () => {
    const all = [userConfig("jump", [line(keys.rsa)]), userConfig("alice", [line(keys.ed25519)])];
    check({ shown: keys.ed25519, users: all, expected: { user: "alice" } });
    check({ shown: keys.rsa, users: all, expected: { user: "jump" } });
  });
});

test("every kind of key is in the table", () => {
  expect(Object.keys(keys.each).sort()).toEqual([...CLIENT_SIGNATURES].sort());
});
