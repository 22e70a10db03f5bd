import * as crypto from "node:crypto";
import { connect } from "node:net";
import { MSG, message, Reader } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { deadline } from "../../src/util/deadline.ts";
import { isSignedBy } from "./sign.ts";

/**
 * The client's side of one key exchange by mlkem768x25519-sha256, written from draft-ietf-sshm-mlkem-hybrid-kex and RFC 4253
 * alone: nothing of it is the server's code, or ssh2's, except reading and writing fields.
 */
export interface HybridExchange {
  /** Length of what the server answered: ciphertext and X25519 key. */
  readonly reply: number;
  /** Whether the host key signed the exchange hash, with K as a string. */
  readonly signed: boolean;
  /** The first message under the new keys, when one was decrypted and authentic. */
  readonly firstMessage: Buffer | undefined;
  /** Code and text of the server's SSH_MSG_DISCONNECT, if that is how it ended. */
  readonly disconnect: { readonly code: number; readonly text: string } | undefined;
}

export interface HybridOptions {
  readonly hostKeyType: string;
  /** Proposes this instead, and expects to be refused. */
  readonly kex?: string;
  /** Sent before our proposal, and after it. */
  readonly before?: Buffer;
  readonly after?: Buffer;
  /** Changes C_INIT before it is sent. */
  readonly spoil?: (clientInit: Buffer) => Buffer;
}

const KEX_ECDH_INIT = 30;
const KEX_ECDH_REPLY = 31;
const NEWKEYS = 21;
const IDENT = "SSH-2.0-hybrid_test";
const CIPHER = "aes128-gcm@openssh.com";
const KEX = "mlkem768x25519-sha256";

/** What Node has since 24.7, and the types of an older one do not. */
const kem = crypto as unknown as {
  generateKeyPairSync(type: "ml-kem-768"): {
    readonly publicKey: crypto.KeyObject;
    readonly privateKey: crypto.KeyObject;
  };
  decapsulate(key: crypto.KeyObject, ciphertext: Buffer): Buffer;
};

export async function hybridExchange(port: number, options: HybridOptions): Promise<HybridExchange> {
  const socket = connect(port, "127.0.0.1");
  using limit = deadline(systemClock, 15_000, () => new Error("the exchange did not end within 15 s"));
  limit.signal.addEventListener("abort", () => socket.destroy(limit.signal.reason as Error));
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  let buffered = Buffer.alloc(0);
  const bytes = async (length: number): Promise<Buffer> => {
    while (buffered.length < length) {
      const { value } = await chunks.next();
      if (!value) throw new Error("the server closed the connection");
      buffered = Buffer.concat([buffered, value]);
    }
    const taken = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return taken;
  };
  const packet = async (): Promise<Buffer> => {
    const head = await bytes(5);
    const rest = await bytes(head.readUInt32BE(0) - 1);
    return rest.subarray(0, rest.length - (head[4] ?? 0));
  };
  const send = (payload: Buffer): void => {
    const padding = 8 + ((8 - ((5 + payload.length) % 8)) % 8);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(1 + payload.length + padding, 0);
    head[4] = padding;
    socket.write(Buffer.concat([head, payload, Buffer.alloc(padding)]));
  };
  const result = { reply: 0, signed: false, firstMessage: undefined, disconnect: undefined };
  const farewell = (payload: Buffer): HybridExchange => {
    const fields = new Reader(payload, 1);
    return { ...result, disconnect: { code: fields.uint32(), text: fields.text() } };
  };

  try {
    socket.write(`${IDENT}\r\n`);
    let line = "";
    while (!line.endsWith("\r\n")) line += (await bytes(1)).toString("latin1");
    const serverIdent = line.trimEnd();
    const ours = kexInit(options.kex ?? `${KEX},ext-info-c`, options.hostKeyType);
    if (options.before) send(options.before);
    send(ours);
    if (options.after) send(options.after);
    const theirs = Buffer.from(await packet());
    if (options.kex !== undefined) return farewell(Buffer.from(await packet()));

    const lattice = kem.generateKeyPairSync("ml-kem-768");
    const curve = crypto.generateKeyPairSync("x25519");
    const bare = (key: crypto.KeyObject, length: number): Buffer =>
      key.export({ type: "spki", format: "der" }).subarray(-length);
    const init = Buffer.concat([bare(lattice.publicKey, 1184), bare(curve.publicKey, 32)]);
    const clientInit = options.spoil?.(init) ?? init;
    send(message(KEX_ECDH_INIT, clientInit));

    const answer = Buffer.from(await packet());
    if (answer[0] !== KEX_ECDH_REPLY) return farewell(answer);
    const fields = new Reader(answer, 1);
    const hostKey = fields.string();
    const reply = fields.string();
    const signature = fields.string();
    const secretOfLattice = kem.decapsulate(lattice.privateKey, reply.subarray(0, 1088));
    const theirCurve = crypto.createPublicKey({
      key: { kty: "OKP", crv: "X25519", x: reply.subarray(1088).toString("base64url") },
      format: "jwk",
    });
    const secretOfCurve = crypto.diffieHellman({ privateKey: curve.privateKey, publicKey: theirCurve });
    const secret = strings(sha256(secretOfLattice, secretOfCurve));
    const parts = [Buffer.from(IDENT), Buffer.from(serverIdent), ours, theirs, hostKey, clientInit, reply];
    const hash = sha256(strings(...parts), secret);
    const signed = isSignedBy("ssh-ed25519", hostKey, signature, hash);

    if ((await packet())[0] !== NEWKEYS) throw new Error("the server did not change its keys");
    send(message(NEWKEYS));
    const derived = (letter: string, length: number): Buffer =>
      sha256(secret, hash, Buffer.from(letter), hash).subarray(0, length);
    const length = await bytes(4);
    const sealed = await bytes(length.readUInt32BE() + 16);
    const decipher = crypto.createDecipheriv("aes-128-gcm", derived("D", 16), derived("B", 12));
    decipher.setAAD(length).setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    const firstMessage = plain.subarray(1, plain.length - (plain[0] ?? 0));
    return { ...result, reply: reply.length, signed, firstMessage };
  } finally {
    socket.destroy();
  }
}

function kexInit(kex: string, hostKeyType: string): Buffer {
  const none = ["none", "none", "", ""];
  const lists = [kex, hostKeyType, CIPHER, CIPHER, "hmac-sha2-256", "hmac-sha2-256", ...none];
  const named = message(MSG.KEXINIT, ...lists);
  const cookie = crypto.randomBytes(16);
  return Buffer.concat([named.subarray(0, 1), cookie, named.subarray(1), Buffer.alloc(5)]);
}

function strings(...parts: readonly Buffer[]): Buffer {
  return message(0, ...parts).subarray(1);
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = crypto.createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
