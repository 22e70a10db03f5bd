import { expect, test } from "vitest";
import { excess } from "../../src/server/excess.ts";

const none = { loggedIn: false, exchanges: 0, seconds: 1, received: 10_000, sent: 10_000 };
const MIB = 1024 * 1024;

test.each([
  ["a login as it should be", none, undefined],
  ["a great login", { ...none, received: 256 * 1024 }, undefined],
  ["more than any login", { ...none, received: 256 * 1024 + 1 }, /sent too much before the login/],
  ["other keys before the login", { ...none, exchanges: 1 }, /exchanged keys again before the login/],
  ["a transfer", { ...none, loggedIn: true, received: 1e12, exchanges: 900 }, undefined],
  ["sixty exchanges at once", { ...none, loggedIn: true, exchanges: 60 }, undefined],
  ["exchanges without an end", { ...none, loggedIn: true, exchanges: 62 }, /again and again/],
  ["one a second for an hour", { ...none, loggedIn: true, seconds: 3_600, exchanges: 3_600 }, undefined],
  [
    "one for each MiB",
    { ...none, loggedIn: true, sent: 500 * MIB, received: 500 * MIB, exchanges: 1_000 },
    undefined,
  ],
])("%s", (_, demands, expected) => {
  if (expected) expect(excess(demands)).toMatch(expected);
  else expect(excess(demands)).toBeUndefined();
});
