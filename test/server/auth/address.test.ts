import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFrom, isWithin } from "../../../src/server/auth/address.ts";

describe("from", () => {
  test.each([
    ["192.0.2.7", ["192.0.2.7"], true],
    ["192.0.2.7", ["192.0.2.70"], false],
    ["192.0.2.7", ["192.0.2.0/24"], true],
    ["192.0.3.7", ["192.0.2.0/24"], false],
    ["192.0.2.7", ["0.0.0.0/0"], true],
    ["192.0.2.7", ["192.0.2.7/32"], true],
    ["255.255.255.255", ["255.0.0.0/8"], true],
    ["192.0.2.7", ["10.0.0.0/8", "192.0.2.0/24"], true],
    ["192.0.2.7", ["192.0.*"], true],
    ["192.0.2.7", ["192.0.2.?"], true],
    ["192.0.2.77", ["192.0.2.?"], false],
    ["192.0.2.7", ["*"], true],
    ["192.0.2.7", ["*.example.com"], false],
    ["192.0.2.7", ["localhost"], false],
    // Negated: none of them may match, and one that is not negated must.
    ["192.0.2.7", ["!192.0.2.7", "*"], false],
    ["192.0.2.7", ["*", "!192.0.2.7"], false],
    ["192.0.2.8", ["*", "!192.0.2.7"], true],
    ["192.0.2.8", ["192.0.2.0/24", "!192.0.2.0/29"], true],
    ["192.0.2.7", ["192.0.2.0/24", "!192.0.2.0/29"], false],
    ["192.0.2.8", ["!192.0.2.7"], false],
    ["192.0.2.8", ["!192.0.2.*", "192.0.2.8"], false],
    ["192.0.2.8", [], false],
    // What is no network makes the whole list match nothing.
    ["192.0.2.7", ["*", "192.0.2.7/24"], false],
    ["192.0.2.7", ["*", "192.0.2.0/33"], false],
    ["192.0.2.7", ["*", "192.0.2.0/"], false],
    ["192.0.2.7", ["*", "192.0.2.0/x"], false],
    ["192.0.2.7", ["*", ""], false],
    ["192.0.2.7", ["*", "!"], false],
    ["192.0.2.7", ["192.0.2.0/-1"], false],
    ["2001:db8::7", ["2001:db8::/32"], true],
    ["2001:db9::7", ["2001:db8::/32"], false],
    ["2001:db8::7", ["2001:0DB8:0:0:0:0:0:7"], true],
    ["2001:db8::7", ["2001:DB8::*"], true],
    ["2001:db8::7", ["::/0"], true],
    ["2001:db8::7", ["0.0.0.0/0"], false],
    ["192.0.2.7", ["::/0"], false],
    ["::1", ["::1"], true],
    ["::1", ["::/127"], true],
    ["::2", ["::/127"], false],
    ["::1", ["!::1", "::/0"], false],
    ["2001:db8::7", ["2001:db8::/129"], false],
    ["2001:db8::7", ["2001:db8::7/32"], false],
    ["fe80::1%eth0", ["fe80::/10"], true],
    // IPv4 as IPv6 writes it is IPv4, on either side.
    ["::ffff:192.0.2.7", ["192.0.2.0/24"], true],
    ["::ffff:c000:207", ["192.0.2.7"], true],
    ["192.0.2.7", ["::ffff:192.0.2.0/120"], true],
    ["192.0.2.7", ["::ffff:0.0.0.0/95"], false],
    ["nonsense", ["0.0.0.0/0", "::/0"], false],
  ])("%s is one of %j: %j", (address, patterns, expected) => {
    expect(isFrom(address, patterns)).toBe(expected);
  });

  test("finds each IPv4 address in its networks, and in no other of that length", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(byte, byte, byte, byte, fc.integer({ min: 1, max: 32 }), (a, b, c, d, length) => {
        const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
        const mask = (0xffff_ffff << (32 - length)) >>> 0;
        const text = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
        const network = (value & mask) >>> 0;
        const other = (network ^ (1 << (32 - length))) >>> 0;
        expect(isFrom(text(value), [`${text(network)}/${length}`])).toBe(true);
        expect(isFrom(text(value), [`${text(other)}/${length}`])).toBe(false);
        expect(isFrom(`::ffff:${text(value)}`, [`${text(network)}/${length}`])).toBe(true);
      }),
    );
  });
});

describe("source-address", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "10.0.0.0/8,192.0.2.0/24", true],
    ["192.0.2.7", "10.0.0.0/8", false],
    ["2001:db8::7", "10.0.0.0/8,2001:db8::/32", true],
    // Networks only: anything else is no list.
    ["192.0.2.7", "192.0.2.*", false],
    ["192.0.2.7", "*", false],
    ["192.0.2.7", "192.0.2.7,!192.0.2.8", false],
    ["192.0.2.7", "192.0.2.7,nonsense", false],
    ["192.0.2.7", "192.0.2.7,", false],
    ["192.0.2.7", "", false],
  ])("%s is within %j: %j", (address, networks, expected) => {
    expect(isWithin(address, networks)).toBe(expected);
  });
});
