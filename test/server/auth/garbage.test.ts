import fc from "fast-check";
import { expect, test } from "vitest";
import { CLIENT_SIGNATURES, withCertificate } from "../../../src/server/algorithms.ts";
import { decide } from "../../../src/server/auth.ts";
import { ADDRESS, line, NOTHING_REVOKED, NOW } from "../../harness/auth-case.ts";
import { userConfig } from "../../harness/server-config.ts";
import { softToken, strings } from "../../harness/token.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const algorithms = fc.constantFrom(...CLIENT_SIGNATURES.flatMap((name) => [name, withCertificate(name)]));

/** Begins as it should, then fields of any length, then anything. */
const structured = fc
  .tuple(algorithms, fc.array(bytes(80), { maxLength: 12 }), bytes(60))
  .map(([name, fields, rest]) => {
    const type = name.replace(/^rsa-sha2-(256|512)/, "ssh-rsa");
    return { algorithm: name, blob: Buffer.concat([strings(type, ...fields), rest]) };
  });

test("whatever a stranger sends is refused, and nothing is thrown", () => {
  const token = softToken("ecdsa");
  const users = [
    userConfig("alice", [line(token), line(token, { certAuthority: true })]),
    // Lines that are no keys: the config would not have let them through.
    userConfig("bob", [line({ type: "ssh-rsa", blob: strings("ssh-rsa", "", "") })]),
  ];
  const context = { users, revoked: NOTHING_REVOKED, now: NOW, address: ADDRESS };
  fc.assert(
    fc.property(structured, bytes(120), fc.string(), fc.boolean(), (key, signature, user, known) => {
      const offered = { ...key, proof: { signature, signed: signature } };
      const login = known ? "alice" : user;
      expect(decide({ user: login, method: "publickey", key: offered }, context).kind).toBe("reject");
      // The right key, with anything as its signature.
      const own = { ...offered, algorithm: token.type, blob: token.blob };
      expect(decide({ user: login, method: "publickey", key: own }, context).kind).toBe("reject");
      const wrapped = { ...own, proof: { signature: strings(token.type, signature), signed: signature } };
      expect(decide({ user: "jump", method: "publickey", key: wrapped }, context).kind).toBe("reject");
    }),
    { numRuns: 3_000 },
  );
});
