import { isIP } from "node:net";
import type { PermitOpen } from "../access.ts";

/** Values of the options of a key. Each reader answers undefined for what is malformed. */

const LONGEST_HOST = 1024;

/** `host:port` of `permitopen`: an IPv6 address in brackets, a port number or `*`. */
export function readPermitOpen(value: string): PermitOpen | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:/[\]\s]+)):(\*|\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === "*" ? undefined : Number(match?.[3]);
  if (host === undefined || host.length > LONGEST_HOST) return undefined;
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { host, port };
}

/** As sshd reads times: YYYYMMDD, with HHMM or HHMMSS, in the local time zone unless it ends with Z or UTC. Milliseconds. */
export function readTime(value: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?$/i.exec(value);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((digits) => Number(digits ?? 0));
  const possible = month >= 1 && month <= 12 && hour <= 23 && minute <= 59 && second <= 60 && year >= 1970;
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (!possible || day < 1 || day > lastDay) return undefined;
  const time = match[7]
    ? Date.UTC(year, month - 1, day, hour, minute, second)
    : new Date(year, month - 1, day, hour, minute, second).getTime();
  // The epoch itself is no time for sshd either.
  return time > 0 ? time : undefined;
}

/** The entries of `principals`, none of them empty. */
export function readPrincipals(value: string): readonly string[] | undefined {
  const names = value.split(",");
  return names.includes("") ? undefined : names;
}

export type From =
  | {
      readonly from: readonly string[];
      /** Entries that no address can match. */
      readonly names: readonly string[];
    }
  | { readonly problem: string };

/** The entries of `from`: addresses, CIDR blocks, patterns with `*` and `?`; in lower case. */
export function readFrom(value: string): From {
  const from = value.toLowerCase().split(",");
  const names: string[] = [];
  for (const entry of from) {
    const bare = entry.replace(/^!/, "");
    if (bare === "" || /[\s!"]/.test(bare))
      return { problem: "one of its entries is empty or cannot be read" };
    if (bare.includes("/")) {
      const problem = blockProblem(bare);
      if (problem) return { problem };
    } else if (isIP(bare) === 0 && !/^[0-9a-f.:*?]+$/.test(bare)) {
      // Where it would have to keep somebody out, it must not be passed over.
      if (entry.startsWith("!"))
        return { problem: "names of hosts are not looked up: write addresses after the !" };
      names.push(bare);
    }
  }
  return { from, names };
}

/** Why it is no CIDR block; sshd refuses those with bits beyond the mask as well. */
function blockProblem(block: string): string | undefined {
  const [address = "", length = "", ...more] = block.split("/");
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  if (
    version === 0 ||
    address.includes("%") ||
    more.length > 0 ||
    !/^\d{1,3}$/.test(length) ||
    Number(length) > bits
  )
    return "an entry with a slash is an address and the length of its mask, such as 10.0.0.0/8";
  const mask = (1n << BigInt(bits - Number(length))) - 1n;
  if ((addressNumber(address, version) & mask) === 0n) return undefined;
  return "the address before a slash must have no bits beyond its mask: 10.0.0.0/8, not 10.0.0.1/8";
}

function addressNumber(address: string, version: number): bigint {
  if (version === 4) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const [front, back] = [groups(head), groups(tail)];
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  return [...front, ...Array<string>(zeros).fill("0"), ...back].reduce(
    (sum, group) => (sum << 16n) | BigInt(`0x${group}`),
    0n,
  );
}

/** `NAME=value` of `environment`. */
export function isEnvironment(value: string): boolean {
  return /^\w+=/.test(value);
}

/** `tunnel`: the number of a device, or any. */
export function isTunnel(value: string): boolean {
  return /^(?:\d{1,9}|any)$/i.test(value);
}

/** `permitlisten`: a port alone will do. */
export function isPermitListen(value: string): boolean {
  return readPermitOpen(value.includes(":") ? value : `*:${value}`) !== undefined;
}
