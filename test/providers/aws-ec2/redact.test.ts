import fc from "fast-check";
import { expect, test } from "vitest";
import { createRedact } from "../../../src/providers/aws-ec2/redact.ts";

test("a text without secrets only loses its line breaks", () => {
  expect(createRedact("secret line")("The image id '[ami-1]'\n  does not exist")).toBe(
    "The image id '[ami-1]' does not exist",
  );
  expect(createRedact(undefined)("vol-0123456789abcdef0 is in-use")).toBe("vol-0123456789abcdef0 is in-use");
});

test("a long text is cut", () => {
  expect(createRedact(undefined)("a b ".repeat(1000))).toHaveLength(401);
});

test("the SDK's advice to programmers is left out", () => {
  const said =
    "missing closing tag.\n  Deserialization error: to see the raw response, inspect the hidden field";
  expect(createRedact(undefined)(said)).toBe("missing closing tag.");
});

test("whatever the user data, no long piece of its base64 form comes through", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 40, unit: "binary" }), fc.nat(), fc.nat(), (userData, a, b) => {
      const encoded = Buffer.from(userData, "utf8").toString("base64");
      const from = a % (encoded.length - 12);
      const piece = encoded.slice(from, from + 12 + (b % encoded.length));
      expect(createRedact(userData)(`Value (${piece}) is bad`)).not.toContain(piece.replace(/=+$/, ""));
    }),
  );
});
