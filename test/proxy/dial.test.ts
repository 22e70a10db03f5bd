import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { type DialOptions, dial } from "../../src/proxy/dial.ts";
import { systemClock } from "../../src/util/clock.ts";
import { LazysshError } from "../../src/util/errors.ts";
import { tcpTarget } from "../harness/tcp.ts";

const options = (port: number, other: Partial<DialOptions> = {}): DialOptions => ({
  target: "archiver",
  host: "127.0.0.1",
  port,
  readBuffer: new Uint8Array(1024),
  clock: systemClock,
  timeoutMs: 10_000,
  signals: [],
  ...other,
});

test("what the target says at once is there when somebody begins to read", async () => {
  await using target = await tcpTarget((socket) => socket.end("SSH-2.0-target\r\n"));
  const socket = await dial(options(target.port));
  await systemClock.sleep(50);
  const read: string[] = [];
  socket.onRead = (data) => {
    read.push(Buffer.from(data).toString());
    return true;
  };
  socket.resume();
  await once(socket, "end");
  expect(read.join("")).toBe("SSH-2.0-target\r\n");
  socket.destroy();
});

test("a refused connection is told in words, with the port", async () => {
  const target = await tcpTarget(() => undefined);
  await target[Symbol.asyncDispose]();
  const error = await dial(options(target.port)).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(LazysshError);
  expect(error).toMatchObject({
    code: "CONNECT_FAILED",
    message: `archiver: nothing listens on port ${target.port} of the machine (ECONNREFUSED)`,
  });
});

test("a host name that does not exist is told in words", async () => {
  await expect(dial(options(22, { host: "no-such-host.invalid" }))).rejects.toThrow(
    /archiver: the machine's host name cannot be resolved \((ENOTFOUND|EAI_AGAIN)\)/,
  );
});

/** A port whose queue of connections is full: to the next one the system answers nothing. */
async function silentPort(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

test("a deadline ends the attempt, and so does the signal, with its reason", async () => {
  await using silent = await silentPort();
  const gone = new AbortController();
  const reason = new Error("the client has gone");
  gone.abort(reason);
  await expect(
    dial(options(silent.port, { signals: [new AbortController().signal, gone.signal] })),
  ).rejects.toBe(reason);
  // No time at all is less than any connection takes.
  await expect(
    dial(options(silent.port, { clock: { ...systemClock, sleep: async () => undefined } })),
  ).rejects.toThrow(
    `archiver: no answer on port ${silent.port} of the machine within 10 s: is a firewall or security group in between?`,
  );
});
