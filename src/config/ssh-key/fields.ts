/** Reads the fields of SSH's wire format one after the other (RFC 4251 §5). Every method throws a RangeError at the end. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.take(1).readUInt8();
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.take(8).readBigUInt64BE();
  }

  /** A view, not a copy. */
  string(): Buffer {
    return this.take(this.uint32());
  }

  text(): string {
    return this.string().toString("utf8");
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("it ends before its last field");
    const field = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return field;
  }

  /** @throws RangeError when something is left. */
  end(): void {
    if (!this.done) throw new RangeError("more follows its last field");
  }
}

/** A string of the wire format. */
export function wireString(content: string | Buffer): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
