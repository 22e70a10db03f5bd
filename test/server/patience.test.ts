import { describe, expect, test } from "vitest";
import { createPatience } from "../../src/server/patience.ts";
import { SimClock } from "../harness/sim-clock.ts";

const limits = { loginGraceMs: 30_000, keyExchangeMs: 20_000, rekeyingMs: 120_000 };

/** A client that came so long ago. */
function patience({ cameBefore = 0, ...patch }: Partial<typeof limits> & { cameBefore?: number } = {}) {
  const clock = new SimClock();
  const over: string[] = [];
  const client = createPatience({
    clock,
    limits: { ...limits, ...patch },
    cameAt: clock.now() - cameBefore,
    onOver: (reason) => over.push(reason),
  });
  return { clock, client, over };
}

describe("a client is waited for", () => {
  test("20 s for its first keys", async () => {
    const { clock, over } = patience();
    await clock.advance(19_999);
    expect(over).toEqual([]);
    await clock.advance(1);
    expect(over).toEqual(["the key exchange took longer than 20 s"]);
  });

  test("30 s for its login, counted from when it came", async () => {
    const { clock, client, over } = patience({ cameBefore: 10_000 });
    client.exchanged();
    await clock.advance(19_999);
    expect(over).toEqual([]);
    await clock.advance(1);
    expect(over).toEqual(["the login took longer than 30 s"]);
  });

  test("2 min for later keys, each time anew", async () => {
    const { clock, client, over } = patience();
    client.known();
    for (let n = 0; n < 3; n++) {
      client.exchanging();
      await clock.advance(119_999);
      client.exchanged();
      await clock.advance(1_000_000);
    }
    expect(over).toEqual([]);
    client.exchanging();
    await clock.advance(120_000);
    expect(over).toEqual(["the key exchange took longer than 2m"]);
  });

  test("no more when it has gone", async () => {
    const { clock, client, over } = patience();
    client.end();
    client.end();
    await clock.advance(1_000_000);
    expect(over).toEqual([]);
  });
});
