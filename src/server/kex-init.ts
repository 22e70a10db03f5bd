import { Reader } from "./protocol.ts";

/** What a client proposes (RFC 4253 §7.1), as far as it is looked at here; ssh2 reads the rest. */
export interface KexInit {
  readonly kex: readonly string[];
  readonly hostKey: readonly string[];
  /** Whether its first message of the exchange follows at once, for what it prefers. */
  readonly follows: boolean;
}

/** After the message number and the cookie. */
const LISTS_AT = 17;

export function readKexInit(payload: Buffer): KexInit {
  const fields = new Reader(payload, LISTS_AT);
  const kex = fields.nameList();
  const hostKey = fields.nameList();
  for (let lists = 2; lists < 10; lists++) fields.string();
  return { kex, hostKey, follows: fields.boolean() };
}

/** RFC 4253 §7.1: the first of the client's that the server has. */
export function agreed(theirs: readonly string[], ours: readonly string[]): string | undefined {
  return theirs.find((name) => ours.includes(name));
}

/** The same proposal with another name for one of the key exchanges. */
export function renameKex(payload: Buffer, from: string, to: string): Buffer {
  const fields = new Reader(payload, LISTS_AT);
  const names = fields.nameList().map((name) => (name === from ? to : name));
  const list = Buffer.from(names.join(","), "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(list.length);
  return Buffer.concat([payload.subarray(0, LISTS_AT), length, list, payload.subarray(fields.position)]);
}
