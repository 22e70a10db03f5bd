import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type Relay, type RelayOptions, startRelay } from "../harness/relay.ts";
import { echo, tcpTarget } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

/** A relay to a server, and a client at its other end. */
async function link(
  options?: RelayOptions,
  serve: (socket: Socket) => void = echo,
): Promise<{ relay: Relay; client: Socket }> {
  const target = await tcpTarget(serve);
  const relay = await startRelay(target.port, options);
  const client = connect({ port: relay.port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => undefined);
  onTestFinished(async () => {
    client.destroy();
    await relay[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
  });
  await once(client, "connect");
  return { relay, client };
}

test("a relay passes bytes both ways, and each end for itself", async () => {
  const { relay, client } = await link();
  client.end("there and back");
  let back = "";
  client.on("data", (chunk) => {
    back += String(chunk);
  });
  await once(client, "end");
  expect(back).toBe("there and back");
  expect(relay.passed).toEqual({ up: 14, down: 14 });
});

test("a relay keeps to its rate", async () => {
  const { client } = await link({ bytesPerSecond: 10e6 }, (socket) =>
    socket.resume().on("end", () => socket.end("got it")),
  );
  const started = performance.now();
  client.end(Buffer.alloc(4e6));
  await once(client, "data");
  const seconds = (performance.now() - started) / 1000;
  expect(seconds).toBeGreaterThan(0.35);
  expect(seconds).toBeLessThan(2); // on a machine with much else to do
});

test("a relay that is to be cut passes as many bytes as it was told, and takes new connections", async () => {
  let got = 0;
  const { relay, client } = await link({}, (socket) =>
    socket.on("data", ({ length }) => {
      got += length;
    }),
  );
  relay.cutAfter(100_000);
  const closed = new Promise((resolve) => client.once("close", resolve));
  client.write(Buffer.alloc(1e6));
  await closed;
  expect(relay.passed.up).toBe(100_000);
  expect(got).toBeLessThanOrEqual(100_000);

  const again = connect(relay.port, "127.0.0.1");
  again.end(Buffer.alloc(200_000));
  await eventually("all of the second", () => relay.passed.up === 300_000);
  again.destroy();
});

test("a relay that is stalled passes nothing and closes nothing, until it goes on", async () => {
  const { relay, client } = await link();
  relay.stall();
  client.write("late");
  const first = Promise.race([once(client, "data"), once(client, "close")]);
  const quick = new Promise((resolve) => setTimeout(() => resolve("silence"), 50));
  expect(await Promise.race([first, quick])).toBe("silence");
  relay.resume();
  expect(String((await first)[0])).toBe("late");
});
