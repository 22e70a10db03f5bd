/** Answers and window adjustments are all that is held back; a client that needs more misbehaves. */
const MOST_BYTES = 1024 * 1024;

/** Messages for the client that wait for the end of a key exchange, in order (RFC 4253 §7.1). */
export class HeldBack {
  #messages: Buffer[] = [];
  #bytes = 0;

  /** False: they are too many by now, and this one is not kept. */
  add(payload: Buffer): boolean {
    this.#bytes += payload.length;
    if (this.#bytes > MOST_BYTES) return false;
    this.#messages.push(payload);
    return true;
  }

  /** All of them; none are left. */
  take(): readonly Buffer[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }
}
