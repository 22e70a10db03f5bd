import { createHash } from "node:crypto";
import type { Revocations } from "../access.ts";
import { fingerprint } from "../ssh-key/public-key.ts";

/** Each login looks through all of them. Serial numbers that follow each other are one. */
const MOST_ENTRIES = 100_000;
const LARGEST_SERIAL = 2n ** 64n - 1n;

type Serials = Revocations["serials"][number];

/** Collects what is revoked. Its methods throw a RangeError, in words, for what cannot be. */
export class RevocationList {
  readonly #keys = new Set<string>();
  readonly #serials: Serials[] = [];
  readonly #ids: { authority: string | undefined; id: string }[] = [];

  /** `blob` is the wire format of a plain key, not of a certificate. */
  key(blob: Buffer): void {
    this.fingerprint(fingerprint(blob));
  }

  /** `SHA256:…` or `SHA1:…`, as `ssh-keygen -l` prints them. */
  fingerprint(print: string): void {
    this.#count();
    this.#keys.add(print);
  }

  digest(algorithm: "SHA256" | "SHA1", digest: Buffer): void {
    if (digest.length !== createHash(algorithm).digest().length)
      throw new RangeError(`a fingerprint (${algorithm}) has another length`);
    this.fingerprint(`${algorithm}:${digest.toString("base64").replace(/=+$/, "")}`);
  }

  /** Both ends included. `authority` is the fingerprint of who signed, undefined: whoever did. */
  serials(authority: string | undefined, from: bigint, to = from): void {
    if (from < 1n || to > LARGEST_SERIAL)
      throw new RangeError(`serial numbers are from 1 to ${LARGEST_SERIAL}`);
    if (from > to) throw new RangeError(`the range of serial numbers ${from}-${to} ends before it begins`);
    const last = this.#serials.at(-1);
    if (last && last.authority === authority && last.to + 1n === from) {
      this.#serials[this.#serials.length - 1] = { ...last, to };
      return;
    }
    this.#count();
    this.#serials.push({ authority, from, to });
  }

  id(authority: string | undefined, id: string): void {
    if (id === "") throw new RangeError("a key id is empty");
    this.#count();
    this.#ids.push({ authority, id });
  }

  revocations(): Revocations {
    return { keys: this.#keys, serials: this.#serials, ids: this.#ids };
  }

  #count(): void {
    if (this.#keys.size + this.#serials.length + this.#ids.length >= MOST_ENTRIES)
      throw new RangeError(`it has more than ${MOST_ENTRIES} entries`);
  }
}
