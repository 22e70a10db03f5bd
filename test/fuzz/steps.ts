/**
 * What a hostile client does, as data: a session that has found something is kept as JSON, and can be played again
 * when what made it has changed.
 */
export interface Session {
  /** What it was made from. */
  readonly seed: number;
  /** The address on loopback that it comes from, so that the server's log tells sessions apart. */
  readonly from: string;
  readonly steps: readonly Step[];
}

export type Step =
  /** Bytes as they are, past all ciphers. `slow`: one by one. */
  | { readonly do: "bytes"; readonly hex: string; readonly slow?: true }
  /** A packet without encryption, changed once it is framed. */
  | { readonly do: "plain"; readonly message: Message; readonly edits?: readonly Edit[] }
  /** A key exchange as it should be. */
  | {
      readonly do: "exchange";
      readonly kex: string;
      readonly cipher: string;
      readonly mac: string;
      readonly hostKey: string;
    }
  | { readonly do: "send"; readonly message: Message; readonly times?: number }
  /** Encrypted, and changed on the wire. */
  | { readonly do: "spoil"; readonly message: Message; readonly edits: readonly Edit[] }
  | { readonly do: "login"; readonly login: Login }
  | { readonly do: "rekey" }
  /** Until so many messages of this type have come, by default one, or 300 ms have passed. */
  | { readonly do: "await"; readonly type: number; readonly times?: number }
  /** Until no keys are being exchanged, or 300 ms have passed. */
  | { readonly do: "settle" }
  | { readonly do: "wait"; readonly ms: number }
  /** What is sent from here on goes out in one piece at `release`, or in so many: what a server reads at once is up to the network. */
  | { readonly do: "gather" }
  | { readonly do: "release"; readonly pieces?: number }
  /** Reads nothing more, or again. */
  | { readonly do: "deaf" }
  | { readonly do: "listen" }
  /** Closes its own direction, or all at once. */
  | { readonly do: "end" }
  | { readonly do: "reset" };

export interface Message {
  readonly type: number;
  readonly fields: readonly Field[];
  readonly edits?: readonly Edit[];
}

/** Numbers are uint32, texts strings (RFC 4251 §5). */
export type Field =
  | number
  | boolean
  | string
  /** A string of these bytes. */
  | { readonly hex: string }
  /** Bytes without a length before them. */
  | { readonly raw: string }
  /** A string of so many equal bytes. */
  | { readonly fill: number; readonly byte: number }
  /** A string that says it has another length. */
  | { readonly lie: number; readonly hex: string }
  /** uint32, the port of one of the targets' servers. */
  | { readonly port: PortName }
  /** A string, the blob of one of the keys. */
  | { readonly blob: KeyName };

/** Of the servers behind the jump host: what they do with a connection. */
export const PORT_NAMES = ["echo", "sink", "source", "stuck", "bye", "slam", "closed"] as const;
export type PortName = (typeof PORT_NAMES)[number];

/** All but `other` may log in, and so may that with `cert`. `hostcert` is a certificate of it, too, but one for hosts. */
export const KEY_NAMES = ["client", "other", "ecdsa", "rsa", "cert", "hostcert", "host", "hostrsa"] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/** A login with a key (RFC 4252 §7), signed for the session. */
export interface Login {
  readonly user: string;
  /** What signs. */
  readonly key: "client" | "other" | "ecdsa" | "rsa";
  /** Default: the key's own. */
  readonly algorithm?: string;
  /** Default: the key's own blob, else that of another, changed before it is signed. */
  readonly blob?: KeyName;
  readonly blobEdits?: readonly Edit[];
  /** The whole request, after it was signed. */
  readonly edits?: readonly Edit[];
}

/** Positions are taken modulo the length. */
export type Edit =
  | readonly ["cut", number]
  | readonly ["flip", at: number, bits: number]
  | readonly ["put", at: number, hex: string]
  | readonly ["add", hex: string];

export interface Names {
  readonly ports: Readonly<Record<PortName, number>>;
  readonly blobs: Readonly<Record<KeyName, Buffer>>;
}

export function bytesOf({ type, fields, edits = [] }: Message, names: Names): Buffer {
  const parts = fields.map((field) => fieldBytes(field, names));
  return edited(Buffer.concat([Buffer.of(type), ...parts]), edits);
}

function fieldBytes(field: Field, { ports, blobs }: Names): Buffer {
  if (typeof field === "boolean") return Buffer.of(field ? 1 : 0);
  if (typeof field === "number") return uint32(field);
  if (typeof field === "string") return text(Buffer.from(field));
  if ("raw" in field) return Buffer.from(field.raw, "hex");
  if ("fill" in field) return text(Buffer.alloc(field.fill, field.byte));
  if ("lie" in field) return Buffer.concat([uint32(field.lie), Buffer.from(field.hex, "hex")]);
  if ("hex" in field) return text(Buffer.from(field.hex, "hex"));
  if ("port" in field) return uint32(ports[field.port]);
  return text(blobs[field.blob]);
}

export function edited(original: Buffer, edits: readonly Edit[]): Buffer {
  let bytes = Buffer.from(original);
  for (const [what, ...how] of edits) {
    const at = bytes.length === 0 ? 0 : Number(how[0]) % bytes.length;
    if (what === "cut") bytes = bytes.subarray(0, at);
    else if (what === "flip") bytes[at] = (bytes[at] ?? 0) ^ Number(how[1]);
    else if (what === "put") Buffer.from(String(how[1]), "hex").copy(bytes, at);
    else bytes = Buffer.concat([bytes, Buffer.from(String(how[0]), "hex")]);
  }
  return bytes;
}

/** A packet without encryption (RFC 4253 §6). */
export function framed(payload: Buffer): Buffer {
  const padding = 8 - ((5 + payload.length) % 8) + (8 - ((5 + payload.length) % 8) < 4 ? 8 : 0);
  const head = Buffer.concat([uint32(1 + payload.length + padding), Buffer.of(padding)]);
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}

function text(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
