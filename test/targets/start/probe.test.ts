import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { probe } from "../../../src/targets/index.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { freePort } from "../../harness/tcp.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();

async function listen(onConnection: (socket: Socket) => void, port = 0): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return address.port;
}

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) server.close();
});

function knock(port: number, options: { ready?: "auto" | "ssh" | "tcp"; signal?: AbortSignal } = {}) {
  const reasons: string[] = [];
  const answered = probe({
    host: "127.0.0.1",
    port,
    ready: options.ready ?? "ssh",
    clock: systemClock,
    signal: options.signal ?? AbortSignal.timeout(20_000),
    onWaiting: (reason) => reasons.push(reason),
  });
  return { answered, reasons };
}

describe("probe", () => {
  it("waits for the identification line of SSH, also after other lines and in pieces", async () => {
    const port = await listen((socket) => {
      socket.write("Welcome to the machine\r\nSSH-2.");
      setImmediate(() => socket.write("0-OpenSSH_9.2\r\n"));
    });
    await knock(port).answered;
  });

  it("is not content with an accepted connection that closes, and says so", async () => {
    let calls = 0;
    const port = await listen((socket) => {
      calls += 1;
      if (calls < 4) socket.end();
      else socket.write("SSH-2.0-x\r\n");
    });
    const { answered, reasons } = knock(port);
    await answered;
    expect(calls).toBe(4);
    const accepted = `127.0.0.1:${port} accepts, and has not sent an SSH greeting yet`;
    expect(reasons.slice(0, 2)).toEqual([
      accepted,
      `127.0.0.1:${port} accepts, but closes without an SSH greeting`,
    ]);
  });

  it("notices within a few hundredths of a second that a closed port has opened", async () => {
    const port = await freePort();
    const { answered, reasons } = knock(port);
    await expect.poll(() => reasons).toEqual([`127.0.0.1:${port} refuses connections`]);
    await listen((socket) => socket.write("SSH-2.0-x\r\n"), port);
    const opened = performance.now();
    await answered;
    expect(performance.now() - opened).toBeLessThan(1_000);
  });

  it("keeps few silent connections open, so that sshd does not start to drop them", async () => {
    let most = 0;
    const port = await listen(() => {
      most = Math.max(most, sockets.size);
    });
    const leave = new AbortController();
    const { answered } = knock(port, { signal: leave.signal });
    await expect.poll(() => most, { timeout: 10_000 }).toBe(3);
    leave.abort(new Error("enough"));
    await expect(answered).rejects.toThrow("enough");
    expect(most).toBe(3);
  });

  it("takes an accepted connection for an answer with ready = tcp", async () => {
    const port = await listen(() => undefined);
    await knock(port, { ready: "tcp" }).answered;
  });

  it("takes another service's greeting for an answer on another port than 22 with ready = auto", async () => {
    const port = await listen((socket) => socket.write("220 mail.example\r\n"));
    await knock(port, { ready: "auto" }).answered;
  });

  it("rejects with the reason of the signal, and leaves no connection behind", async () => {
    const port = await listen(() => undefined);
    const leave = new AbortController();
    const { answered } = knock(port, { signal: leave.signal });
    await expect.poll(() => sockets.size).toBe(1);
    leave.abort(new Error("nobody waits"));
    await expect(answered).rejects.toThrow("nobody waits");
    await expect
      .poll(() => [...sockets].every((socket) => socket.destroyed || socket.readableEnded))
      .toBe(true);
  });
});
