/** Message numbers (RFC 4250 §4.1.2, RFC 8308). */
export const MSG = {
  DISCONNECT: 1,
  IGNORE: 2,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  EXT_INFO: 7,
  KEXINIT: 20,
  USERAUTH_REQUEST: 50,
  USERAUTH_FAILURE: 51,
  USERAUTH_SUCCESS: 52,
  USERAUTH_BANNER: 53,
  USERAUTH_PK_OK: 60,
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_OPEN_CONFIRMATION: 91,
  CHANNEL_OPEN_FAILURE: 92,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_SUCCESS: 99,
  CHANNEL_FAILURE: 100,
} as const;

/** Reasons of SSH_MSG_DISCONNECT (RFC 4250 §4.2.2). */
export const DISCONNECT = {
  PROTOCOL_ERROR: 2,
  KEY_EXCHANGE_FAILED: 3,
  SERVICE_NOT_AVAILABLE: 7,
  CONNECTION_LOST: 10,
  BY_APPLICATION: 11,
  TOO_MANY_CONNECTIONS: 12,
  NO_MORE_AUTH_METHODS: 14,
} as const;

export type DisconnectCode = (typeof DISCONNECT)[keyof typeof DISCONNECT];

/** Reasons of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 §5.1). */
export const OPEN_FAILURE = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;

export type OpenFailureCode = (typeof OPEN_FAILURE)[keyof typeof OPEN_FAILURE];

/** The peer broke the protocol, or may not go on: the connection ends with this code and text. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: DisconnectCode;

  constructor(message: string, code: DisconnectCode = DISCONNECT.PROTOCOL_ERROR) {
    super(message);
    this.code = code;
  }
}

/**
 * Whatever was thrown while a packet of the client's was read. ssh2 throws errors of its own, with a text; what it stumbles
 * over is of no use to a client.
 */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const stumbled = !(error instanceof Error) || error instanceof TypeError || error instanceof RangeError;
  return new ProtocolError(`the client sent a bad packet${stumbled ? "" : ` (${error.message})`}`);
}

/** Reads the fields of a message (RFC 4251 §5). Each throws {@link ProtocolError} when the message ends too soon. */
export class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, from = 0) {
    this.#bytes = bytes;
    this.#at = from;
  }

  /** Where the next field starts. */
  get position(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  boolean(): boolean {
    return this.#take(1).readUInt8() !== 0;
  }

  uint32(): number {
    const value = this.#take(4).readUInt32BE();
    return value;
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  /** A view, not a copy. */
  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString("utf8");
  }

  nameList(): readonly string[] {
    return this.string().toString("latin1").split(",");
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new ProtocolError("a message ended before its last field");
    const field = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return field;
  }
}

type Field = boolean | number | string | Buffer;

/** A message: its number, then booleans, numbers as uint32, texts and buffers as strings (RFC 4251 §5). */
export function message(type: number, ...fields: readonly Field[]): Buffer {
  const parts: Buffer[] = [Buffer.of(type)];
  for (const field of fields) {
    if (typeof field === "boolean") parts.push(Buffer.of(field ? 1 : 0));
    else if (typeof field === "number") parts.push(uint32(field));
    else {
      const bytes = typeof field === "string" ? Buffer.from(field) : field;
      parts.push(uint32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** A copy in memory of its own. Node takes small buffers from a common one, all of which stays for as long as one of them is kept. */
export function apart(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
