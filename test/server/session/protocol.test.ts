import { describe, expect, onTestFinished, test } from "vitest";
import { MSG, message, Reader } from "../../../src/server/protocol.ts";
import { openSession } from "../../../src/server/session/session.ts";
import { restingTarget } from "../../harness/by-hand.ts";
import { type DoorOptions, openDoor, poll } from "../../harness/front-door.ts";
import { type RawClient, rawClient } from "../../harness/raw-client.ts";

async function open(options: DoorOptions = {}) {
  const door = await openDoor(options);
  onTestFinished(() => door[Symbol.asyncDispose]());
  const client = await rawClient(door.port);
  onTestFinished(() => client[Symbol.asyncDispose]());
  await client.login(door.clientKey);
  return { door, client };
}

const openMessage = (id = 0, window = 1024 * 1024, maxPacket = 32_768) =>
  message(MSG.CHANNEL_OPEN, "session", id, window, maxPacket);

async function session(client: RawClient, window?: number, maxPacket?: number): Promise<number> {
  client.send(openMessage(0, window, maxPacket));
  const fields = await client.next(MSG.CHANNEL_OPEN_CONFIRMATION);
  fields.uint32();
  return fields.uint32();
}

const request = (id: number, name: string, ...fields: Parameters<typeof message>[1][]) =>
  message(MSG.CHANNEL_REQUEST, id, name, true, ...fields);

const pty = (id: number) => request(id, "pty-req", "xterm", 80, 24, 0, 0, "\0");

/** What was refused, in words. */
async function refused(client: RawClient): Promise<string> {
  const fields = await client.next(MSG.CHANNEL_OPEN_FAILURE);
  fields.uint32();
  fields.uint32();
  return fields.text();
}

async function data(client: RawClient): Promise<Buffer> {
  const fields = await client.next(MSG.CHANNEL_DATA);
  fields.uint32();
  return Buffer.from(fields.string());
}

describe("a session", () => {
  test("ends with exit status, end of data and close, once all has been said", async () => {
    const { client } = await open();
    const id = await session(client);
    client.send(request(id, "exec", "status"));
    await client.next(MSG.CHANNEL_SUCCESS);
    const fields = await client.next(MSG.CHANNEL_REQUEST);
    fields.uint32();
    expect([fields.text(), fields.boolean(), fields.uint32()]).toEqual(["exit-status", false, 0]);
    await client.next(MSG.CHANNEL_EOF);
    await client.next(MSG.CHANNEL_CLOSE);
    expect((await data(client)).toString()).toMatch(/^lazyssh/);
    // Closed by the client too, its number is free again.
    client.send(message(MSG.CHANNEL_CLOSE, id));
    expect(await session(client)).toBe(id);
  });

  test("says no more than the window and the packets of its client allow", async () => {
    const { door, client } = await open();
    door.machines.targets = Array.from({ length: 20 }, (_, n) => ({ ...restingTarget(), name: `t${n}` }));
    const id = await session(client, 100, 64);
    client.send(request(id, "exec", "status --no-volumes"));
    let text = "";
    while (text.length < 100) {
      const piece = await data(client);
      expect(piece.length).toBeLessThanOrEqual(64);
      text += piece.toString();
    }
    expect(text.length).toBe(100);
    expect(client.count(MSG.CHANNEL_REQUEST)).toBe(0);
    client.send(message(MSG.CHANNEL_WINDOW_ADJUST, id, 100_000));
    await client.next(MSG.CHANNEL_CLOSE);
    while (client.count(MSG.CHANNEL_DATA) > 0) text += (await data(client)).toString();
    expect(text).toContain("t19 ");
  });

  test("throws away what it is sent, and opens the window again for it", async () => {
    const { client } = await open({ limits: { window: 64 * 1024 } });
    const id = await session(client);
    const piece = Buffer.alloc(8 * 1024);
    for (let sent = 0; sent < 32; sent++) {
      client.send(
        sent % 2 ? message(MSG.CHANNEL_DATA, id, piece) : message(MSG.CHANNEL_EXTENDED_DATA, id, 1, piece),
      );
      await client.next(MSG.CHANNEL_WINDOW_ADJUST);
    }
  });

  test("runs one thing, once", async () => {
    const { client } = await open();
    const id = await session(client, 0);
    client.send(pty(id));
    await client.next(MSG.CHANNEL_SUCCESS);
    client.send(pty(id));
    await client.next(MSG.CHANNEL_FAILURE);
    client.send(request(id, "shell"));
    await client.next(MSG.CHANNEL_SUCCESS);
    for (const another of [request(id, "shell"), request(id, "exec", "status"), pty(id)]) {
      client.send(another);
      await client.next(MSG.CHANNEL_FAILURE);
    }
  });

  test("has no agent, no X11, and nothing that is not known, and passes over the environment", async () => {
    const { client } = await open();
    const id = await session(client);
    client.send(request(id, "env", "LANG", "C"));
    await client.next(MSG.CHANNEL_SUCCESS);
    client.send(request(id, "window-change", 80, 24, 0, 0));
    await client.next(MSG.CHANNEL_SUCCESS);
    for (const name of ["auth-agent-req@openssh.com", "x11-req", "eow@openssh.com", "nonsense"]) {
      client.send(request(id, name));
      await client.next(MSG.CHANNEL_FAILURE);
    }
  });

  test.each(["INT", "TERM"])("is interrupted by the signal %s, and says so", async (name) => {
    const { door, client } = await open();
    door.machines.boot = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const id = await session(client);
    client.send(request(id, "exec", "start archiver"));
    await poll("the start", () => door.machines.asked.length === 1);
    client.send(message(MSG.CHANNEL_REQUEST, id, "signal", false, name));
    const fields = await client.next(MSG.CHANNEL_EXTENDED_DATA);
    fields.uint32();
    expect([fields.uint32(), fields.text()]).toEqual([
      1,
      `lazyssh: interrupted by ${name}, and taken back\n`,
    ]);
    const status = await client.next(MSG.CHANNEL_REQUEST);
    status.uint32();
    status.string();
    status.boolean();
    expect(status.uint32()).toBe(130);
  });

  test("that the client closes is over at once, and what it waited for is taken back", async () => {
    const { door, client } = await open();
    door.machines.boot = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const id = await session(client);
    client.send(request(id, "exec", "start archiver"));
    await poll("the start", () => door.machines.asked.length === 1);
    client.send(message(MSG.CHANNEL_CLOSE, id));
    await client.next(MSG.CHANNEL_CLOSE);
    expect(door.machines.takenBack).toHaveLength(1);
    expect(client.count(MSG.CHANNEL_REQUEST)).toBe(0);
    expect(await session(client)).toBe(id);
  });
});

describe("sessions are refused", () => {
  test("to who is not let in any more, also one that was open before", async () => {
    const { door, client } = await open();
    const id = await session(client);
    door.reload({ users: [] });
    client.send(request(id, "exec", "start archiver"));
    const fields = await client.next(MSG.CHANNEL_EXTENDED_DATA);
    fields.uint32();
    fields.uint32();
    expect(fields.text()).toBe('lazyssh: user "jump" is not configured on this jump host any more\n');
    await client.next(MSG.CHANNEL_CLOSE);
    client.send(openMessage(1));
    expect(await refused(client)).toContain("not configured on this jump host any more");
    expect(door.machines.asked).toEqual([]);
  });

  test("after the client has said that there will be no more", async () => {
    const { door, client } = await open();
    await session(client);
    client.send(message(MSG.GLOBAL_REQUEST, "no-more-sessions@openssh.com", true));
    await client.next(MSG.REQUEST_SUCCESS);
    client.send(openMessage(1));
    expect(await refused(client)).toContain("needs no more sessions");
    expect(await door.event("session.refused")).toMatchObject({ code: "NOT_PERMITTED", channel: 1 });
  });

  test("beyond the limit of channels, with which they are counted", async () => {
    const { client } = await open({ limits: { channels: 3 } });
    for (let n = 0; n < 3; n++) await session(client);
    client.send(openMessage(9));
    expect(await refused(client)).toContain("this connection has 3 channels");
  });

  test("when the client takes no data, and while the jump host shuts down", async () => {
    const { door, client } = await open();
    client.send(openMessage(0, 1024, 0));
    expect(await refused(client)).toContain("takes no data at all");
    door.door.refuseNew("the jump host is shutting down");
    client.send(openMessage());
    expect(await refused(client)).toContain("shutting down");
  });
});

describe("a client that breaks the protocol in a session is disconnected", () => {
  const cut = (id: number, name: string, ...fields: Parameters<typeof message>[1][]) => {
    const whole = request(id, name, ...fields);
    return whole.subarray(0, whole.length - 1);
  };
  test.each([
    ["half a pty-req", (id: number) => cut(id, "pty-req", "xterm", 80, 24, 0, 0, "\0")],
    ["half an exec", (id: number) => cut(id, "exec", "status")],
    ["half a subsystem", (id: number) => cut(id, "subsystem", "sftp")],
    ["half an env", (id: number) => cut(id, "env", "A", "B")],
    ["half a window-change", (id: number) => cut(id, "window-change", 80, 24, 0, 0)],
    ["half a signal", (id: number) => cut(id, "signal", "INT")],
    ["data beyond the window", (id: number) => message(MSG.CHANNEL_DATA, id, Buffer.alloc(2_000))],
    ["a window beyond 4 GiB", (id: number) => message(MSG.CHANNEL_WINDOW_ADJUST, id, 0xffff_ffff)],
    ["a session that is not there", () => request(77, "exec", "status")],
  ])("%s", async (_, bad) => {
    const { client } = await open({ limits: { window: 1_000 } });
    const id = await session(client);
    client.send(bad(id));
    const fields = await client.next(MSG.DISCONNECT);
    expect(fields.uint32()).toBe(2);
    await client.closed;
  });

  test("data after the end of data", async () => {
    const { client } = await open();
    const id = await session(client);
    client.send(message(MSG.CHANNEL_EOF, id));
    client.send(message(MSG.CHANNEL_DATA, id, Buffer.from("x")));
    await client.next(MSG.DISCONNECT);
  });
});

describe("a forced command", () => {
  test.each([["shell"], ["exec", "stop archiver --cut"], ["subsystem", "sftp"]])(
    "is run instead of %s",
    (name, ...fields) => {
      const sent: Buffer[] = [];
      const ran: (string | undefined)[] = [];
      const wire = { send: (payload: Buffer) => sent.push(payload), sendData: () => undefined };
      const channel = openSession({
        id: 0,
        client: { id: 0, window: 1024, maxPacket: 1024 },
        window: 1024,
        host: { wire: wire as never, congested: () => false, await: () => undefined },
        forced: "status",
        run: async (command) => {
          ran.push(command);
          return 0;
        },
        onEnd: () => undefined,
      });
      channel.request(name, true, new Reader(message(0, ...fields), 1));
      expect(ran).toEqual(["status"]);
      expect(sent.map(([type]) => type)).toEqual([MSG.CHANNEL_OPEN_CONFIRMATION, MSG.CHANNEL_SUCCESS]);
    },
  );
});
