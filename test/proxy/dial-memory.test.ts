import { once } from "node:events";
import { createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { dial } from "../../src/proxy/dial.ts";
import { systemClock } from "../../src/util/clock.ts";
import { deadline } from "../../src/util/deadline.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** How many of them are still there after several collections. */
async function kept(references: readonly WeakRef<object>[]): Promise<number> {
  for (let round = 0; round < 5; round++) {
    await systemClock.sleep(20);
    collect();
  }
  return references.filter((reference) => reference.deref() !== undefined).length;
}

test("a connection that is over is held by nothing, although the signals of its opening live on", async () => {
  const server = createServer((socket) => socket.resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const signals: AbortSignal[] = [];
  const sockets: WeakRef<object>[] = [];
  for (let i = 0; i < 60; i++) {
    const client = new AbortController();
    const lease = new AbortController();
    signals.push(client.signal, lease.signal);
    const socket = await dial({
      target: "t",
      host: "127.0.0.1",
      port,
      readBuffer: new Uint8Array(1024),
      clock: systemClock,
      timeoutMs: 60_000,
      signals: [client.signal, lease.signal],
    });
    sockets.push(new WeakRef(socket));
    socket.destroy();
    await once(socket, "close");
  }
  expect(await kept(sockets)).toBeLessThan(10);
  expect(signals).toHaveLength(120);
  server.close();
});

test("a disposed deadline is held by neither its clock nor the signals it was linked to", async () => {
  const parent = new AbortController();
  const references: WeakRef<object>[] = [];
  for (let i = 0; i < 60; i++) {
    const limit = deadline(systemClock, 3_600_000, () => "late", parent.signal);
    references.push(new WeakRef(limit.signal));
    limit[Symbol.dispose]();
  }
  expect(await kept(references)).toBeLessThan(10);
});
