import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MSG, message } from "../../../src/server/protocol.ts";
import { type Keys, line, makeKeys, type Shown, trusts } from "../../harness/auth-case.ts";
import { openDoor } from "../../harness/front-door.ts";
import { rawClient } from "../../harness/raw-client.ts";
import { userConfig } from "../../harness/server-config.ts";
import { strings } from "../../harness/token.ts";

let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
}, 60_000);
afterAll(() => keys[Symbol.asyncDispose]());

/** Asks whether a key would do. */
function ask(user: string, algorithm: string, blob: Buffer): Buffer {
  return message(MSG.USERAUTH_REQUEST, user, "ssh-connection", "publickey", false, algorithm, blob);
}

/** A request with a signature, or with these bytes as one. */
function signed(sessionId: Buffer, user: string, { algorithm, blob, sign }: Shown, bytes?: Buffer): Buffer {
  const request = message(MSG.USERAUTH_REQUEST, user, "ssh-connection", "publickey", true, algorithm, blob);
  const signature = bytes ? strings(algorithm, bytes) : sign(Buffer.concat([strings(sessionId), request]));
  return Buffer.concat([request, strings(signature)]);
}

describe("a stranger", () => {
  test("gets the same bytes, whatever it is that does not do", async () => {
    const expired = (await keys.certificate(["-n", "alice", "-V", "always:20200101"])).blob;
    const foreign = (await keys.certificate(["-n", "alice"], keys.ed25519, keys.authorities.rsa)).blob;
    const users = [
      userConfig("alice", [line(keys.ed25519), trusts(keys.authority)]),
      userConfig("bob", [line(keys.rsa, { from: ["10.0.0.0/8"] })]),
    ];
    await using door = await openDoor({ config: { users }, limits: { authTries: 100 } });
    await using client = await rawClient(door.port);
    client.send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
    await client.next(MSG.SERVICE_ACCEPT);
    const sign = (user: string, shown: Shown, bytes?: Buffer) => signed(client.sessionId, user, shown, bytes);
    const requests: Readonly<Record<string, Buffer>> = {
      "no such user, a known key": sign("root", keys.ed25519),
      "no such user, a known key, asked": ask("root", "ssh-ed25519", keys.ed25519.blob),
      "no such user, an unknown key": ask("root", "ssh-ed25519", keys.other.blob),
      "another's key": sign("bob", keys.ed25519),
      "an unknown key, asked": ask("alice", "ssh-ed25519", keys.other.blob),
      "an unknown key": sign("alice", keys.other),
      "a wrong signature": sign("alice", keys.ed25519, Buffer.alloc(64, 1)),
      "from elsewhere": sign("bob", keys.rsa),
      "from elsewhere, asked": ask("bob", "rsa-sha2-512", keys.rsa.blob),
      expired: ask("alice", "ssh-ed25519-cert-v01@openssh.com", expired),
      "another authority": ask("alice", "ssh-ed25519-cert-v01@openssh.com", foreign),
      "a damaged certificate": ask("alice", "ssh-ed25519-cert-v01@openssh.com", expired.subarray(0, 300)),
      "SHA-1": ask("alice", "ssh-rsa", keys.rsa.blob),
      "no key": ask("alice", "ssh-ed25519", Buffer.alloc(0)),
      "another method": message(MSG.USERAUTH_REQUEST, "alice", "ssh-connection", "password", false, "secret"),
      none: message(MSG.USERAUTH_REQUEST, "alice", "ssh-connection", "none"),
    };
    const answers: Record<string, unknown> = {};
    for (const [what, request] of Object.entries(requests)) {
      const before = client.socket.bytesRead;
      client.send(request);
      const fields = await client.next(MSG.USERAUTH_FAILURE);
      answers[what] = [fields.text(), fields.boolean(), fields.position, client.socket.bytesRead - before];
    }
    const [first] = Object.values(answers);
    expect(answers).toEqual(Object.fromEntries(Object.keys(requests).map((what) => [what, first])));
    expect(client.count(MSG.USERAUTH_PK_OK)).toBe(0);
    // The log has the reasons; every client asks for none.
    const reasons = door.events.flatMap((event) =>
      event.type === "connection.auth" && !event.accepted ? [event.reason] : [],
    );
    expect(reasons).toHaveLength(Object.keys(requests).length - 1);
    client.send(sign("alice", keys.ed25519));
    await client.next(MSG.USERAUTH_SUCCESS);
  });

  test("is asked to sign no more often than logins may fail", async () => {
    const users = [userConfig("alice", [line(keys.ed25519)])];
    await using door = await openDoor({ config: { users }, limits: { authTries: 3 } });
    await using client = await rawClient(door.port);
    client.send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
    await client.next(MSG.SERVICE_ACCEPT);
    for (let n = 0; n < 4; n++) client.send(ask("alice", "ssh-ed25519", keys.ed25519.blob));
    await client.next(MSG.USERAUTH_FAILURE);
    expect(client.count(MSG.USERAUTH_PK_OK)).toBe(3);
    client.send(signed(client.sessionId, "alice", keys.ed25519));
    await client.next(MSG.USERAUTH_SUCCESS);
  });
});
