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
  #used = false;
  /** Of the cipher there is now, how packets of some payload lengths begin and end: it is the same for all. */
  #cipher: Cipher | undefined;
  #shapes = new Map<number, { readonly length: number; readonly head: Buffer; readonly padding: number }>();

  /** The packet that is being encrypted. */
  #inWork: Buffer | undefined;

  /** A packet without its payload. */
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
    this.#used = true;
    const whole = this.#spare.pop() ?? Buffer.allocUnsafeSlow(ROOM);
    const packet = whole.subarray(0, shape.length);
    packet.set(shape.head);
    packet.set(randomBytes(shape.padding), PAYLOAD_AT + payloadLength);
    return packet;
  }

  /** Encrypts a packet that was taken. What the cipher writes has to be shown to {@link claim}. */
  encrypt(cipher: Cipher, packet: Buffer): void {
    this.#inWork = packet;
    cipher.encrypt(packet);
    // Some ciphers write copies, and then the packet itself is free at once.
    if (this.#inWork) this.#free(this.#inWork);
    this.#inWork = undefined;
  }

  /** When these bytes are the packet that is being encrypted: what has to be called when they have been sent. */
  claim(bytes: Uint8Array): (() => void) | undefined {
    const packet = this.#inWork;
    if (!packet || bytes.buffer !== packet.buffer) return undefined;
    this.#inWork = undefined;
    // A cipher that is not native writes the length as a view of its own: nobody says when the whole packet is free.
    return bytes === packet ? () => this.#free(packet) : undefined;
  }

  /** Keeps none, when none was taken since the last time. */
  rest(): void {
    if (!this.#used) this.#spare = [];
    this.#used = false;
  }

  #free(packet: Uint8Array): void {
    const { buffer } = packet;
    if (buffer.byteLength !== ROOM || this.#spare.length >= MOST_SPARE) return;
    this.#spare.push(Buffer.from(buffer as ArrayBuffer));
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
