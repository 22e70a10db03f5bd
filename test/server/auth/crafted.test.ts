import { afterAll, beforeAll, describe, test } from "vitest";
import { type Accepted, certified, check, type Keys, makeKeys, trusts } from "../../harness/auth-case.ts";
import { type CertificateParts, certificateOf } from "../../harness/certificate.ts";
import { strings } from "../../harness/token.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
}, 60_000);
afterAll(() => keys[Symbol.asyncDispose]());

describe("a certificate made by hand", () => {
  const none = Buffer.alloc(0);
  const permit = ["permit-port-forwarding", none] as const;
  const cases: readonly (readonly [string, () => CertificateParts, string | Accepted])[] = [
    ["with nothing wrong", () => ({ extensions: [permit] }), { certificate: { id: "by hand", serial: "0" } }],
    ["of a third type", () => ({ kind: 3 }), "it is not one for users"],
    ["of no type", () => ({ kind: 0 }), "it is not one for users"],
    [
      "of which the times are the wrong way round",
      () => ({ validAfter: 2n ** 63n, validBefore: 1n }),
      "it is not valid before second 9223372036854775808",
    ],
    [
      "with bytes behind",
      () => ({ trailing: Buffer.of(0) }),
      "the certificate is damaged: there is more than a certificate",
    ],
    [
      "of another type than it says",
      () => ({ type: "ecdsa-sha2-nistp256-cert-v01@openssh.com" }),
      'the key is not one for "ssh-ed25519-cert-v01@openssh.com"',
    ],
    [
      "with options out of order",
      () => ({
        critical: [
          ["source-address", strings("192.0.2.7")],
          ["force-command", strings("x")],
        ],
      }),
      'option "force-command" is not in order',
    ],
    [
      "with an option twice",
      () => ({
        critical: [
          ["force-command", strings("x")],
          ["force-command", strings("y")],
        ],
      }),
      "or there twice",
    ],
    [
      "with extensions out of order",
      () => ({ extensions: [["permit-pty", none], permit] }),
      'option "permit-port-forwarding" is not in order',
    ],
    ["with an extension twice", () => ({ extensions: [permit, permit] }), "or there twice"],
    [
      "with a value for permit-port-forwarding",
      () => ({ extensions: [["permit-port-forwarding", strings("x")]] }),
      "its permit-port-forwarding is damaged",
    ],
    [
      "with a value for no-touch-required",
      () => ({ extensions: [["no-touch-required", strings("")]] }),
      "its no-touch-required is damaged",
    ],
    [
      "with a value for verify-required",
      () => ({ critical: [["verify-required", strings("")]] }),
      "its verify-required is damaged",
    ],
    [
      "with force-command as bare bytes",
      () => ({ critical: [["force-command", Buffer.from("status")]] }),
      "its force-command is damaged",
    ],
    [
      "with two values of source-address",
      () => ({ critical: [["source-address", strings("192.0.2.7", "10.0.0.0/8")]] }),
      "its source-address is damaged",
    ],
    [
      "with an empty source-address",
      () => ({ critical: [["source-address", strings("")]] }),
      "it may not be used from",
    ],
    [
      "with a pattern as source-address",
      () => ({ critical: [["source-address", strings("*")]] }),
      "it may not be used from",
    ],
    [
      "with no-touch-required as critical",
      () => ({ critical: [["no-touch-required", none]] }),
      'critical option "no-touch-required" is not known',
    ],
    [
      "with a critical option without a name",
      () => ({ critical: [["", none]] }),
      'critical option "" is not known',
    ],
    [
      "with NUL in the name",
      () => ({ principals: ["alice\0"] }),
      "the certificate is damaged: there is a NUL in a text",
    ],
    [
      "with a name that is no UTF-8",
      () => ({ principals: ["alice", Buffer.of(0xff)] }),
      "the certificate is damaged",
    ],
    [
      "signed by somebody else in the name of the authority",
      () => ({ signature: (signed) => keys.other.sign(signed) }),
      "its signature by",
    ],
    ["signed, and then changed", () => ({ sign: { data: Buffer.alloc(100) } }), "its signature by"],
    ["with an empty signature", () => ({ signature: () => none }), "its signature by"],
    ["with bytes behind its signature", () => ({ sign: { trailing: Buffer.of(0) } }), "its signature by"],
    [
      "with a signature named as one by a token",
      () => ({ sign: { name: "sk-ssh-ed25519@openssh.com" } }),
      "its signature by",
    ],
    ["with a signature of another name", () => ({ sign: { name: "ssh-rsa" } }), "its signature by"],
    [
      "whose authority is a certificate",
      () => ({ authority: certificateOf(keys.authority, keys.authority) }),
      "which is no authority here",
    ],
    ["whose authority is nothing", () => ({ authority: none }), "which is no authority here"],
  ];

  test.each(cases)("%s", (_, parts, expected) => {
    const shown = certified(keys.ed25519, certificateOf(keys.ed25519, keys.authority, parts()));
    check({ shown, lines: [trusts(keys.authority)], expected });
  });

  test("whose authority is a certificate, and trusted by its line", () => {
    const authority = certificateOf(keys.authority, keys.authority);
    const shown = certified(keys.ed25519, certificateOf(keys.ed25519, keys.authority, { authority }));
    const lines = [trusts({ ...keys.authority, blob: authority })];
    check({ shown, lines, expected: "its signature by" });
  });

  test("by an authority on a token, touched or not", () => {
    for (const flags of [1, 0]) {
      const parts = {
        authority: keys.token.blob,
        signature: (data: Buffer) => keys.token.sign(data, { flags }),
      };
      const shown = certified(keys.ed25519, certificateOf(keys.ed25519, keys.authority, parts));
      check({ shown, lines: [trusts({ ...keys.authority, ...keys.token })], expected: { certificate: {} } });
    }
  });

  test("that ends anywhere", () => {
    const whole = certificateOf(keys.ed25519, keys.authority);
    for (let length = 45; length < whole.length; length += 3) {
      const shown = certified(keys.ed25519, whole.subarray(0, length));
      check({ shown, lines: [trusts(keys.authority)], expected: "the certificate is damaged" });
    }
  });

  test("of which any bit is another", () => {
    const whole = certificateOf(keys.ed25519, keys.authority, { extensions: [permit] });
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      check({ shown: certified(keys.ed25519, changed), lines: [trusts(keys.authority)], expected: "" });
    }
  });
});
