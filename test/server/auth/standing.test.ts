import { describe, expect, it } from "vitest";
import type { Revocations } from "../../../src/config/access.ts";
import type { Certificate } from "../../../src/server/auth/certificate.ts";
import type { Credential } from "../../../src/server/auth/credential.ts";
import { whyNoMore } from "../../../src/server/auth/standing.ts";
import type { Identity } from "../../../src/server/identity.ts";
import { fingerprint } from "../../../src/server/public-key.ts";
import { authorizedKey, userConfig } from "../../harness/server-config.ts";

const [key, other, authority] = ["key", "other", "authority"].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
];
const line = (blob: Buffer, certAuthority = false) =>
  authorizedKey({ type: "ssh-ed25519", blob }, { certAuthority });
const eve = { user: "eve" } as Identity;
const plain: Credential = { algorithm: "ssh-ed25519", key, certificate: undefined };
const certificate = { key, id: "eve's laptop", serial: 7n, authority } as Certificate;
const certified: Credential = { ...plain, certificate };
const nothing: Revocations = { keys: new Set(), serials: [], ids: [] };

describe("who has logged in, under another config", () => {
  const user = userConfig("eve", [line(other), line(key), line(authority, true)]);
  it.each<[string, Credential, Parameters<typeof whyNoMore>[2], RegExp | undefined]>([
    ["with everything as it was", plain, { users: [user], revoked: nothing }, undefined],
    [
      "with a certificate, and everything as it was",
      certified,
      { users: [user], revoked: nothing },
      undefined,
    ],
    [
      "without the user",
      plain,
      { users: [userConfig("adam", user.keys)], revoked: nothing },
      /user "eve" is not configured/,
    ],
    [
      "without the key",
      plain,
      { users: [{ ...user, keys: [line(other)] }], revoked: nothing },
      /key SHA256:\S+ is not authorized for user "eve" any more/,
    ],
    [
      "with the key as an authority only",
      plain,
      { users: [{ ...user, keys: [line(key, true)] }], revoked: nothing },
      /not authorized/,
    ],
    [
      "without the authority, though with the key",
      certified,
      { users: [{ ...user, keys: [line(key)] }], revoked: nothing },
      /certificate "eve's laptop" .* is not authorized/,
    ],
    [
      "with the key revoked",
      plain,
      { users: [user], revoked: { ...nothing, keys: new Set([fingerprint(key)]) } },
      /is revoked/,
    ],
    [
      "with the certificate revoked",
      certified,
      { users: [user], revoked: { ...nothing, serials: [{ authority: undefined, from: 7n, to: 7n }] } },
      /is revoked/,
    ],
  ])("opens channels or learns why not: %s", (_, shown, config, why) => {
    const said = whyNoMore(eve, shown, config);
    if (why) expect(said).toMatch(why);
    else expect(said).toBeUndefined();
  });
});
