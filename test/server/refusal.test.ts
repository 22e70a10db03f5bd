import fc from "fast-check";
import { expect, test } from "vitest";
import { OPEN_FAILURE } from "../../src/server/protocol.ts";
import { printable, refusalOf } from "../../src/server/refusal.ts";
import { LazysshError } from "../../src/util/errors.ts";

test.each([
  ["UNKNOWN_TARGET", OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED],
  ["SHUTTING_DOWN", OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED],
  ["NO_CAPACITY", OPEN_FAILURE.RESOURCE_SHORTAGE],
  ["CONNECT_FAILED", OPEN_FAILURE.CONNECT_FAILED],
  ["BOOT_TIMEOUT", OPEN_FAILURE.CONNECT_FAILED],
] as const)("%s is refused with reason %i", (code, reason) => {
  expect(refusalOf(new LazysshError(code, "why"))).toEqual({ code, reason, text: "why" });
});

test("anything that was thrown is a refusal", () => {
  expect(refusalOf("a string")).toEqual({
    code: "INTERNAL",
    reason: OPEN_FAILURE.CONNECT_FAILED,
    text: "a string",
  });
});

test("text is one line without what could steer a terminal", () => {
  expect(printable(" two\r\nlines,\ta \u001b[2Jclear and \u202ea turn ")).toBe(
    "two lines, a [2Jclear and a turn",
  );
});

const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0x10ffff })), {
    maxLength: 200,
  })
  .map((codes) => String.fromCodePoint(...codes));

test("any text fits, stays printable, and is left alone when it is", () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 8, max: 300 }), (text, most) => {
      const line = printable(text, most);
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(most);
      expect(line).not.toMatch(/[\p{C}\n]/u);
      expect(printable(line, most)).toBe(line);
      expect(line).not.toContain("\uFFFD…");
    }),
  );
});
