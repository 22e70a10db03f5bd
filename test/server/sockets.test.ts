import { expect, test } from "vitest";
import { openFiles } from "../../src/server/open-files.ts";
import { createSockets, type Sockets } from "../../src/server/sockets.ts";

const fill = (sockets: Sockets, room: "roomForClient" | "roomForTarget"): number => {
  let taken = 0;
  while (sockets[room] && taken < 50_000) {
    sockets.take();
    taken += 1;
  }
  return taken;
};

test.each([
  [128, 28, 50, 25],
  [1_024, 30, 738, 128],
  [20_000, 30, 19_714, 128],
  [50, 30, 0, 4],
])("of %i files with %i in use, clients get %i, and targets %i more", (limit, used, clients, targets) => {
  const sockets = createSockets({ limit, used });
  expect(fill(sockets, "roomForClient")).toBe(clients);
  expect(fill(sockets, "roomForTarget")).toBe(targets);
});

test("a socket is given back once, however often that is said", () => {
  const sockets = createSockets({ limit: 128, used: 28 });
  const giveBack = sockets.take();
  fill(sockets, "roomForClient");
  giveBack();
  giveBack();
  expect(fill(sockets, "roomForClient")).toBe(1);
});

test("the limit of this process is known, and what it has open", () => {
  const { limit, used } = openFiles();
  expect(limit).toBeGreaterThanOrEqual(256);
  expect(used).toBeGreaterThan(3);
  expect(used).toBeLessThan(limit);
});
