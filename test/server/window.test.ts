import fc from "fast-check";
import { expect, test } from "vitest";
import { createReceiveWindow, PACKET } from "../../src/server/window.ts";

const KIB = 1024;

test("a window grows fourfold each time that it was filled and emptied, as far as it may", () => {
  let most = 1024 * KIB;
  const window = createReceiveWindow(64 * KIB, (by) => {
    const more = Math.min(by, most);
    most -= more;
    return more;
  });
  let open = 64 * KIB;
  const pass = (bytes: number): void => {
    for (let sent = 0; sent < bytes; sent += PACKET) {
      window.spend(PACKET);
      open += window.taken(PACKET) - PACKET;
    }
  };
  pass(64 * KIB);
  expect(open).toBe(256 * KIB);
  pass(256 * KIB);
  expect(open).toBe(1024 * KIB);
  pass(32 * 1024 * KIB);
  // An eighth at most is not given back yet.
  expect(open).toBeGreaterThan((7 / 8) * 1088 * KIB);
  expect(open).toBeLessThanOrEqual(1088 * KIB);
});

test("one whose target takes nothing does not grow, and is kept to", () => {
  const window = createReceiveWindow(64 * KIB, (by) => by);
  window.spend(PACKET);
  window.spend(PACKET);
  expect(() => window.spend(1)).toThrow("the client sent more than its window");
});

test("what the client is told it may send is what it may, whatever is sent and taken", () => {
  const step = fc.record({
    send: fc.integer({ min: 0, max: PACKET }),
    take: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300 }),
      fc.integer({ min: 0, max: 4096 * KIB }),
      (steps, budget) => {
        let left = budget;
        const window = createReceiveWindow(64 * KIB, (by) => {
          const more = Math.min(by, left);
          left -= more;
          return more;
        });
        let open = 64 * KIB;
        let held = 0;
        for (const { send, take } of steps) {
          const bytes = Math.min(send, open);
          window.spend(bytes);
          open -= bytes;
          held += bytes;
          const taken = Math.floor(held * take);
          held -= taken;
          open += window.taken(taken);
          // Never more outstanding than the first window and what it grew by.
          expect(open + held).toBeLessThanOrEqual(64 * KIB + budget - left);
        }
        if (open < PACKET) expect(() => window.spend(open + 1)).toThrow();
      },
    ),
  );
});
