import { isIPv4, isIPv6 } from "node:net";
import { matchesGlob } from "../../util/glob.ts";

/**
 * Whether a client's address is one of those of a `from` option: networks in CIDR notation, addresses, or patterns with `*` and `?`
 * that the address as text must match. With `!` in front none of those may match; one without must. Names are never looked up. A network
 * that cannot be one (`10.0.0.1/8`) makes the whole list match nothing, as in OpenSSH.
 */
export function isFrom(address: string, patterns: readonly string[]): boolean {
  let found = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    const matched = matches(address, negated ? pattern.slice(1) : pattern);
    if (matched === undefined || (matched && negated)) return false;
    found ||= matched;
  }
  return found;
}

/** The same for the `source-address` of a certificate: networks and addresses only, with commas between. */
export function isWithin(address: string, networks: string): boolean {
  const list = networks.split(",").map((network) => isInNetwork(address, network));
  return list.every((one) => one !== undefined) && list.includes(true);
}

function matches(address: string, pattern: string): boolean | undefined {
  if (pattern === "" || pattern.includes("/")) return isInNetwork(address, pattern);
  return isInNetwork(address, pattern) ?? matchesGlob(pattern.toLowerCase(), address.toLowerCase());
}

/** Undefined: this is no network, and no address. */
function isInNetwork(address: string, network: string): boolean | undefined {
  const [, prefix, , length] = /^([^/%]+)(\/(\d{1,3}))?$/.exec(network) ?? [];
  const base = prefix === undefined ? undefined : parse(prefix);
  if (!base) return undefined;
  const ones = length === undefined ? base.bits : Number(length) - (base.mapped ? 96 : 0);
  if (ones < 0 || ones > base.bits) return undefined;
  const rest = BigInt(base.bits - ones);
  if ((base.value >> rest) << rest !== base.value) return undefined;
  const own = parse(address.replace(/%.*$/, ""));
  return own?.bits === base.bits && own.value >> rest === base.value >> rest;
}

interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
  /** Was an IPv4 address as IPv6 writes it, `::ffff:192.0.2.7`; `bits` and `value` are those of IPv4. */
  readonly mapped: boolean;
}

const MAPPED = 0xffffn;

function parse(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: ofV4(text), mapped: false };
  if (!isIPv6(text)) return undefined;
  const value = ofV6(text);
  if (value >> 32n === MAPPED) return { bits: 32, value: value & 0xffff_ffffn, mapped: true };
  return { bits: 128, value, mapped: false };
}

function ofV4(text: string): bigint {
  return text.split(".").reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** RFC 4291 §2.2. */
function ofV6(text: string): bigint {
  const [before = [], after = []] = text.split("::").map(groups);
  // `::` stands for as many zeros as are missing.
  const missing = Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...missing, ...after].reduce((value, group) => value * 65_536n + group, 0n);
}

function groups(text: string): bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const value = ofV4(group);
    return [value >> 16n, value & MAPPED];
  });
}
