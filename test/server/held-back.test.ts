import { describe, expect, test } from "vitest";
import { HeldBack } from "../../src/server/held-back.ts";

const KIB = 1024;

describe("what is held back during a key exchange", () => {
  test("comes back once, in order", () => {
    const held = new HeldBack();
    const messages = ["a", "b", "c"].map((text) => Buffer.from(text));
    expect(messages.map((message) => held.add(message))).toEqual([true, true, true]);
    expect(held.take()).toEqual(messages);
    expect(held.take()).toEqual([]);
  });

  test("is 1 MiB at most, counted anew for each exchange", () => {
    const held = new HeldBack();
    const fill = () => Array.from({ length: 1024 }, () => held.add(Buffer.alloc(KIB)));
    for (let exchange = 0; exchange < 2; exchange++) {
      expect(fill()).not.toContain(false);
      expect(held.add(Buffer.alloc(1))).toBe(false);
      expect(held.take()).toHaveLength(1024);
    }
  });
});
