import { randomFillSync } from "node:crypto";

/** Makes and encrypts packets, as ssh2's ciphers do. */
export interface Cipher {
  /** A packet with length, padding and room for the tag; the payload starts at {@link PAYLOAD_AT}. */
  allocPacket(payloadLength: number): Buffer;
  /** Encrypts in place or into another buffer, writes, and counts the packet. */
  encrypt(packet: Buffer): void;
}

/** Where the payload is in a packet: after its length and the padding's (RFC 4253 §6). */
export const PAYLOAD_AT = 5;

/** Packets of fewer bytes are not worth keeping. */
const LEAST = 4 * 1024;
/** Of the largest packet, with all that is around its payload. */
const ROOM = 33 * 1024;
/** Kept for the next time: what 256 KiB of data need, twice. */
const MOST_SPARE = 16;

/**
 * Packets for bulk data in buffers that are used again: a new one for each costs more, with what the garbage collector
 * then has to do, than its encryption. One for each connection.
 */
export class Frames {
  #spare: Buffer[] = [];
  /** Of the cipher there is now, how packets of some payload lengths begin and end: it is the same for all. */
  #cipher: Cipher | undefined;
  #shapes = new Map<number, { readonly length: number; readonly head: Buffer; readonly padding: number }>();

  /** A packet without its payload. Give it back with {@link free}, once nobody needs it. */
  take(cipher: Cipher, payloadLength: number): Buffer {
    if (payloadLength < LEAST) return cipher.allocPacket(payloadLength);
    if (cipher !== this.#cipher) {
      this.#cipher = cipher;
      this.#shapes = new Map();
    }
    const shape = this.#shapes.get(payloadLength);
    if (!shape) {
      const packet = cipher.allocPacket(payloadLength);
      if (this.#shapes.size > 8) this.#shapes = new Map();
      const head = Buffer.from(packet.subarray(0, PAYLOAD_AT));
      this.#shapes.set(payloadLength, { length: packet.length, head, padding: packet[4] ?? 0 });
      return packet;
    }
    const whole = this.#spare.pop() ?? Buffer.allocUnsafeSlow(ROOM);
    const packet = whole.subarray(0, shape.length);
    packet.set(shape.head);
    packet.set(randomBytes(shape.padding), PAYLOAD_AT + payloadLength);
    return packet;
  }

  /** The packet's buffer may be used for another. */
  free(packet: Uint8Array): void {
    const { buffer } = packet;
    if (buffer.byteLength !== ROOM || this.#spare.length >= MOST_SPARE) return;
    this.#spare.push(Buffer.from(buffer as ArrayBuffer));
  }

  /** Keeps none: the connection is at rest, or over. */
  clear(): void {
    this.#spare = [];
  }
}

const random = Buffer.allocUnsafeSlow(16 * 1024);
let used = random.length;

/** Random bytes, drawn from the system many at a time; each is given once. */
function randomBytes(count: number): Uint8Array {
  if (used + count > random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += count;
  return random.subarray(used - count, used);
}
