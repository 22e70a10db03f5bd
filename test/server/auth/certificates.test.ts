import { afterAll, beforeAll, describe, test } from "vitest";
import type { AuthorizedKey } from "../../../src/config/access.ts";
import { CLIENT_SIGNATURES } from "../../../src/server/algorithms.ts";
import { fingerprint } from "../../../src/server/public-key.ts";
import {
  type Accepted,
  check,
  type Keys,
  line,
  makeKeys,
  NOW,
  shownToken,
  trusts,
} from "../../harness/auth-case.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
}, 60_000);
afterAll(() => keys[Symbol.asyncDispose]());

const seconds = (fromNow: number): string => `0x${(NOW / 1000 + fromNow).toString(16)}`;
describe.each(CLIENT_SIGNATURES.map((name) => [name]))(
  "a certificate of a key that signs with %s",
  (name) => {
    const key = () => keys.each[name] ?? keys.other;

    test.each(["ed25519", "ecdsa", "rsa"])("by an authority that is %s", async (kind) => {
      const authority = keys.authorities[kind] ?? keys.authority;
      const shown = await keys.certificate(["-n", "alice", "-z", "18446744073709551615"], key(), authority);
      const certificate = {
        id: "id-7",
        serial: "18446744073709551615",
        authority: fingerprint(authority.blob),
      };
      check({ shown, lines: [trusts(authority)], expected: { certificate, forwarding: true } });
      check({ shown, lines: [trusts(authority, { principals: ["bob"] })], expected: 'not for "bob"' });
      check({ shown, lines: [line(key())], expected: "is no authority here" });
    });
  },
);

describe("a certificate by ssh-keygen", () => {
  type Row = readonly [
    name: string,
    flags: readonly string[],
    lineOptions: Partial<AuthorizedKey>,
    expected: string | Accepted,
  ];
  const cases: readonly Row[] = [
    ["for the user", ["-n", "alice"], {}, {}],
    ["for the user among others", ["-n", "root,alice,bob"], {}, {}],
    ["for somebody else", ["-n", "bob,root"], {}, 'is for "bob", "root", not for "alice" (authorized_keys)'],
    ["for a name that begins alike", ["-n", "alice2,Alice,alic"], {}, "not for"],
    ["for everybody, which is nobody", [], {}, "it is for nobody: it has no principals"],
    ["for everybody, where principals are named", [], { principals: ["x"] }, "it has no principals"],
    ["for a principal of the line", ["-n", "deploy"], { principals: ["deploy", "x"] }, {}],
    [
      "for the user, where the line has other principals",
      ["-n", "alice"],
      { principals: ["deploy"] },
      "not for",
    ],
    ["where no principal will do", ["-n", "alice"], { principals: [] }, "not for"],
    ["for ever", ["-n", "alice", "-V", "always:forever"], {}, {}],
    ["valid from this second on", ["-n", "alice", "-V", `${seconds(0)}:${seconds(60)}`], {}, {}],
    [
      "valid from the next second on",
      ["-n", "alice", "-V", `${seconds(1)}:forever`],
      {},
      "it is not valid before 2026-06-01T12:00:01",
    ],
    ["valid until the next second", ["-n", "alice", "-V", `always:${seconds(1)}`], {}, {}],
    [
      "valid until this second",
      ["-n", "alice", "-V", `always:${seconds(0)}`],
      {},
      "it was valid until 2026-06-01T12:00:00",
    ],
    ["of a host", ["-h", "-n", "alice"], {}, "it is not one for users"],
    ["without extensions", ["-n", "alice", "-O", "clear"], {}, { forwarding: false }],
    [
      "without permit-port-forwarding",
      ["-n", "alice", "-O", "no-port-forwarding"],
      {},
      { forwarding: false },
    ],
    [
      "with nothing but permit-port-forwarding",
      ["-n", "alice", "-O", "clear", "-O", "permit-port-forwarding"],
      {},
      { forwarding: true },
    ],
    ["whose line forbids forwarding", ["-n", "alice"], { forwarding: false }, { forwarding: false }],
    ["with force-command", ["-n", "alice", "-O", "force-command=status"], {}, { command: "status" }],
    ["whose line has a command", ["-n", "alice"], { command: "status" }, { command: "status" }],
    [
      "whose line has the same command",
      ["-n", "alice", "-O", "force-command=status"],
      { command: "status" },
      { command: "status" },
    ],
    [
      "whose line has another command",
      ["-n", "alice", "-O", "force-command=stop"],
      { command: "status" },
      "forces another command than its line",
    ],
    ["from its network", ["-n", "alice", "-O", "source-address=10.0.0.0/8,192.0.2.0/24"], {}, {}],
    [
      "from another network",
      ["-n", "alice", "-O", "source-address=10.0.0.0/8"],
      {},
      "it may not be used from 192.0.2.7",
    ],
    [
      "from its network, where the line has another",
      ["-n", "alice", "-O", "source-address=192.0.2.0/24"],
      { from: ["10.*"] },
      "may not be used from 192.0.2.7 (authorized_keys)",
    ],
    [
      "from another network, where the line has this",
      ["-n", "alice", "-O", "source-address=10.0.0.0/8"],
      { from: ["192.*"] },
      "it may not be used from",
    ],
    ["whose line has expired", ["-n", "alice"], { expiresAt: NOW - 1 }, "could be used until"],
    [
      "with permitopen in its line",
      ["-n", "alice"],
      { permitOpen: [{ host: "a", port: undefined }] },
      { permitOpen: [{ host: "a", port: undefined }] },
    ],
    [
      "with an unknown critical option",
      ["-n", "alice", "-O", "critical:must@example.com=x"],
      {},
      'its critical option "must@example.com" is not known here',
    ],
    [
      "with an unknown extension",
      ["-n", "alice", "-O", "extension:may@example.com=x"],
      {},
      { forwarding: true },
    ],
    ["with verify-required, of a key without token", ["-n", "alice", "-O", "verify-required"], {}, {}],
  ];

  test.each(cases)("%s", async (_, flags, lineOptions, expected) => {
    const lines = [trusts(keys.authority, lineOptions)];
    const certificate = { id: "id-7", authority: fingerprint(keys.authority.blob) };
    const accepted = typeof expected === "string" ? expected : { certificate, ...expected };
    check({ shown: await keys.certificate(flags), lines, expected: accepted });
  });

  test("from its IPv6 network", async () => {
    const shown = await keys.certificate(["-n", "alice", "-O", "source-address=2001:db8::/32"]);
    const lines = [trusts(keys.authority)];
    check({ shown, lines, address: "2001:db8::9", expected: { certificate: {} } });
    check({ shown, lines, address: "2001:db9::9", expected: "it may not be used from 2001:db9::9" });
  });

  test("that an authority of RSA has signed with SHA-256", async () => {
    const authority = keys.authorities.rsa ?? keys.authority;
    const shown = await keys.certificate(["-n", "alice", "-t", "rsa-sha2-256"], keys.rsa, authority);
    check({ shown, lines: [trusts(authority)], expected: { certificate: { id: "id-7" } } });
  });

  test("that an authority of RSA has signed with SHA-1", async () => {
    const authority = keys.authorities.rsa ?? keys.authority;
    const shown = await keys.certificate(["-n", "alice", "-t", "ssh-rsa"], keys.rsa, authority);
    check({
      shown,
      lines: [trusts(authority)],
      expected: `its signature by ${fingerprint(authority.blob)} is wrong`,
    });
  });

  test("by an authority of 1024 bits", async () => {
    const authority = await keys.folder.key("short-authority", "rsa", 1024);
    const shown = await keys.certificate(["-n", "alice"], keys.ed25519, authority);
    check({ shown, lines: [trusts(authority)], expected: "its signature by" });
  });

  test("of an RSA key of 1024 bits", async () => {
    const short = await keys.folder.key("short", "rsa", 1024);
    const shown = await keys.certificate(["-n", "alice"], { ...keys.rsa, ...short });
    check({ shown, lines: [trusts(keys.authority)], expected: "an RSA key of 1024 bits can be broken" });
  });

  test("by somebody whose line does not say cert-authority", async () => {
    const lines = [trusts(keys.authority, { certAuthority: false })];
    check({ shown: await keys.certificate(["-n", "alice"]), lines, expected: "which is no authority here" });
  });
});

describe("a certificate of a key on a token", () => {
  test.each<readonly [string, readonly string[], number, Partial<AuthorizedKey>, string | Accepted]>([
    ["touched", [], 1, {}, {}],
    ["not touched", [], 0, {}, "does not suffice: its token was not touched"],
    ["not touched, which its line alone allows", [], 0, { touchRequired: false }, "does not suffice"],
    [
      "not touched, which the certificate alone allows",
      ["-O", "no-touch-required"],
      0,
      {},
      "does not suffice",
    ],
    ["not touched, which both allow", ["-O", "no-touch-required"], 0, { touchRequired: false }, {}],
    ["not verified, which the certificate demands", ["-O", "verify-required"], 1, {}, "does not suffice"],
    ["not verified, which its line demands", [], 1, { verifyRequired: true }, "does not suffice"],
    ["verified, which both demand", ["-O", "verify-required"], 5, { verifyRequired: true }, {}],
  ])("%s", async (_, flags, seen, lineOptions, expected) => {
    const token = shownToken(keys.token, { flags: seen });
    const shown = await keys.certificate(["-n", "alice", ...flags], token);
    const accepted = typeof expected === "string" ? expected : { certificate: {}, ...expected };
    check({ shown, lines: [trusts(keys.authority, lineOptions)], expected: accepted });
  });
});
