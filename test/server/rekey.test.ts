import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type DoorOptions, openDoor, poll } from "../harness/front-door.ts";
import { rawClient } from "../harness/raw-client.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const MB = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

let target: TcpTarget;
beforeAll(async () => {
  target = await tcpTarget(echo);
});
afterEach(() => {
  for (const socket of target.sockets) socket.destroy();
});
afterAll(() => target[Symbol.asyncDispose]());

/** Both directions of a channel at once, through the target and back. */
async function transfer(limits: DoorOptions["limits"], bytes: number, ...options: readonly string[]) {
  await using door = await openDoor({ ...(limits && { limits }) });
  const input = randomBytes(bytes);
  const args = [...options, "-v", "-F", await door.config(), "-W", `archiver:${target.port}`, "lazyssh"];
  const result = await ssh(args, { input, deadlineMs: 60_000 });
  expect(result.code, result.stderr).toBe(0);
  expect(sha256(result.stdout)).toBe(sha256(input));
  await poll("end of the connection", () => door.door.connections === 0);
  return (result.stderr.match(/SSH2_MSG_NEWKEYS received/g) ?? []).length;
}

describe("keys are exchanged anew", () => {
  test.each(["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"])(
    "after so many bytes with %s, and not one is lost or wrong",
    async (cipher) => {
      const exchanges = await transfer({ rekeyBytes: 2 * MB }, 50 * MB, "-c", cipher);
      // The first, and at most one for each 2 MB of either direction; what is under way when one starts goes with the old keys,
      // on a busy machine a few MB.
      expect(exchanges).toBeGreaterThan(5);
      expect(exchanges).toBeLessThanOrEqual(51);
    },
    90_000,
  );

  test("by both sides at once", async () => {
    const exchanges = await transfer({ rekeyBytes: 1.5 * MB }, 50 * MB, "-o", "RekeyLimit=1M");
    expect(exchanges).toBeGreaterThan(7);
  }, 90_000);

  test("in one direction only as well", async () => {
    await using door = await openDoor({ limits: { rekeyBytes: MB } });
    await using source = await tcpTarget((socket) => socket.end(randomBytes(8 * MB)));
    const args = ["-v", "-F", await door.config(), "-W", `archiver:${source.port}`, "lazyssh"];
    const result = await ssh(args);
    expect(result.stdout.length).toBe(8 * MB);
    expect(result.stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length).toBeGreaterThan(3);
  });

  test("not by default: 50 MB need one exchange", async () => {
    expect(await transfer({}, 50 * MB)).toBe(1);
  }, 60_000);

  test("after a time, also when nothing moves, and the connection goes on", async () => {
    await using door = await openDoor({ limits: { rekeyMs: 200, keepaliveMs: 150, deadAfterMs: 30_000 } });
    const args = ["-v", "-F", await door.config(), "-W", `archiver:${target.port}`, "lazyssh"];
    const client = startSsh(args);
    const exchanges = () => client.stderr().match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
    await poll("four exchanges", () => exchanges() >= 4);
    client.child.stdin?.end("still here");
    const result = await client.result;
    expect(result.stdout.toString()).toBe("still here");
    expect(result.code).toBe(0);
  });

  test("while the client talks on, as asyncssh does: what it sends meanwhile arrives", async () => {
    await using door = await openDoor();
    await using client = await rawClient(door.port);
    await client.login(door.clientKey);
    const { id } = await client.open("archiver", target.port);
    for (let round = 0; round < 3; round++) {
      client.rekey();
      client.send(message(MSG.IGNORE, "nothing"));
      client.send(message(MSG.CHANNEL_DATA, id, `round ${round}`));
      const fields = await client.next(MSG.CHANNEL_DATA);
      fields.uint32();
      expect(fields.text()).toBe(`round ${round}`);
      await poll("the new keys", () => !client.busy);
    }
  });

  test("not before the login", async () => {
    await using door = await openDoor({ limits: { rekeyMs: 1, rekeyBytes: 1, keepaliveMs: 30 } });
    await using client = await rawClient(door.port, { ignoresRekey: true });
    await systemClock.sleep(150);
    expect(client.count(MSG.KEXINIT)).toBe(0);
    await client.login(door.clientKey);
    await poll("one after it", () => client.count(MSG.KEXINIT) > 0);
  });

  test("or the connection is ended: who takes no notice and sends on is not served for ever", async () => {
    await using door = await openDoor({ limits: { rekeyBytes: MB, rekeyingMs: 500 } });
    await using client = await rawClient(door.port, { ignoresRekey: true });
    await client.login(door.clientKey);
    const { id } = await client.open("archiver", target.port);
    const data = message(MSG.CHANNEL_DATA, id, Buffer.alloc(32 * 1024));
    for (let sent = 0; sent < 1.25 * MB; sent += 32 * 1024) client.send(data);
    await client.next(MSG.KEXINIT);
    const { reason } = await door.event("connection.close");
    expect(reason).toBe("the key exchange took longer than 500 ms");
    expect(door.targets.held).toBe(0);
  });
});
