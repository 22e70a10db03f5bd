import * as crypto from "node:crypto";
import { DISCONNECT, ProtocolError } from "./protocol.ts";

/** ML-KEM-768 and X25519 together: safe as long as one of them is (draft-ietf-sshm-mlkem-hybrid-kex). */
export const HYBRID_KEX = "mlkem768x25519-sha256";

/** What a server answers to a client's half of the exchange. */
export interface HybridAnswer {
  /** S_REPLY: the encapsulated secret, then our X25519 key. */
  readonly reply: Buffer;
  /** K, the hash over both secrets. It is used as an SSH string, not as the mpint that other methods use. */
  readonly secret: Buffer;
}

/** In FIPS 203 and RFC 7748. */
const ML_KEM_KEY = 1184;
const X25519_KEY = 32;

/** SubjectPublicKeyInfo up to the key itself: Node takes no bare ones. */
const ML_KEM_SPKI = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex");
const X25519_SPKI = Buffer.from("302a300506032b656e032100", "hex");

/** Node's, since 24.7 with OpenSSL 3.5; the types are those of an older Node. */
type Encapsulate = (key: crypto.KeyObject) => { readonly sharedKey: Buffer; readonly ciphertext: Buffer };
const encapsulate = (crypto as { readonly encapsulate?: Encapsulate }).encapsulate;

/** Whether this runtime's crypto has ML-KEM: tried out, because it depends on what Node was built with. */
export const hasHybridKex: boolean = works();

function works(): boolean {
  if (!encapsulate) return false;
  try {
    const generate = crypto.generateKeyPairSync as (type: string) => { readonly publicKey: crypto.KeyObject };
    const spki = generate("ml-kem-768").publicKey.export({ type: "spki", format: "der" });
    encapsulate(publicKey(ML_KEM_SPKI, spki.subarray(ML_KEM_SPKI.length)));
    return true;
  } catch {
    return false;
  }
}

/**
 * `clientInit` is C_INIT: the client's ML-KEM key, then its X25519 key.
 *
 * @throws ProtocolError when it is malformed, or is made so that the secret would be none.
 */
export function answerHybrid(clientInit: Buffer): HybridAnswer {
  if (!encapsulate) throw failed(`${HYBRID_KEX} was not offered`);
  if (clientInit.length !== ML_KEM_KEY + X25519_KEY) {
    throw failed(`the key of the client has ${clientInit.length} bytes, not ${ML_KEM_KEY + X25519_KEY}`);
  }
  try {
    // Reading the key checks that its coefficients are in range (FIPS 203 §7.2).
    const lattice = encapsulate(publicKey(ML_KEM_SPKI, clientInit.subarray(0, ML_KEM_KEY)));
    const ours = crypto.generateKeyPairSync("x25519");
    const theirs = publicKey(X25519_SPKI, clientInit.subarray(ML_KEM_KEY));
    const curve = crypto.diffieHellman({ privateKey: ours.privateKey, publicKey: theirs });
    // RFC 8731 §3. OpenSSL refuses it too.
    if (curve.every((byte) => byte === 0)) throw new RangeError("the shared secret is zero");
    const ourKey = ours.publicKey.export({ type: "spki", format: "der" }).subarray(X25519_SPKI.length);
    return {
      reply: Buffer.concat([lattice.ciphertext, ourKey]),
      secret: crypto.createHash("sha256").update(lattice.sharedKey).update(curve).digest(),
    };
  } catch {
    throw failed("the key of the client is none");
  }
}

function publicKey(spki: Buffer, bare: Buffer): crypto.KeyObject {
  return crypto.createPublicKey({ key: Buffer.concat([spki, bare]), format: "der", type: "spki" });
}

function failed(why: string): ProtocolError {
  return new ProtocolError(`the key exchange failed: ${why}`, DISCONNECT.KEY_EXCHANGE_FAILED);
}
