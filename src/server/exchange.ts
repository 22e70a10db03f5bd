import type Protocol from "ssh2/lib/protocol/Protocol.js";
import type { Kex, Offer, PayloadHandler } from "ssh2/lib/protocol/Protocol.js";
import type { HostKeyProof } from "./host-keys.ts";
import { answerHybrid, HYBRID_KEX } from "./hybrid-kex.ts";
import { agreed, readKexInit, renameKex } from "./kex-init.ts";
import { apart, ProtocolError } from "./protocol.ts";

/** The method of ssh2 that the hybrid one is built into: the same messages and the same hash. */
const HOST_KEX = "curve25519-sha256";

/** Of a connection that exchanges none. */
export const NO_KEYS = {};

/** Message numbers of key exchanges (RFC 4250 §4.1.2). */
const KEX_MESSAGES = { first: 20, last: 49 };

/**
 * Has ssh2 answer a client's proposal, by `answer`, and mends what it makes of it. Part of wire.ts, as far as ssh2's
 * internals are concerned.
 */
export function propose(
  protocol: Protocol,
  offer: Offer,
  proofs: ReadonlyMap<string, HostKeyProof>,
  payload: Buffer,
  answer: PayloadHandler,
): ReturnType<PayloadHandler> {
  // Copied, because it is hashed when the buffer is used again.
  const theirs = Buffer.from(payload);
  const { kex, hostKey, follows } = readKexInit(theirs);
  const hybrid = agreed(kex, offer.kex) === HYBRID_KEX;
  const before = protocol._kex;
  const result = answer(hybrid ? renameKex(theirs, HYBRID_KEX, HOST_KEX) : theirs);
  const exchange = protocol._kex;
  if (!exchange || exchange === before || !("computeSecret" in exchange)) return result;
  // RFC 4253 §7: a guess is wrong unless both sides prefer the same key exchange and the same host key algorithm. ssh2 compares
  // with what was agreed on, which makes dropbear wait for ever.
  const preferred = kex[0] === offer.kex[0] && hostKey[0] === offer.serverHostKey[0];
  protocol._skipNextInboundPacket = follows && !preferred;
  const proof = proofs.get(exchange.negotiated.serverHostKey);
  if (proof) useHostKey(protocol, exchange, proof);
  if (hybrid) makeHybrid(exchange, theirs);
  if (before) passOthers(protocol, protocol._onPayload);
  return result;
}

/**
 * Of an exchange that is over, only what the next one asks for is kept: not the secret that all keys are made of, nor our half of it. And
 * what is kept as long as the connection does not hold on to the memory that Node shares among small buffers.
 */
export function forgetExchange(protocol: Protocol): void {
  if (!protocol._kex) return;
  const { sessionID, negotiated } = protocol._kex;
  const { serverHostKey } = negotiated;
  protocol._kex = { sessionID, negotiated: { serverHostKey }, remoteExtInfoEnabled: false };
  protocol._hostKeys = NO_KEYS;
  if (protocol._remoteIdentRaw) protocol._remoteIdentRaw = apart(protocol._remoteIdentRaw);
  for (const cipher of [protocol._cipher, protocol._decipher]) if (cipher) moveBuffers(cipher);
}

/** What a cipher has beside its packets is as old as the connection. */
function moveBuffers(cipher: object): void {
  for (const [name, value] of Object.entries(cipher)) {
    if (value instanceof Uint8Array && value.length > 0) Object.assign(cipher, { [name]: apart(value) });
  }
}

/** ssh2 knows no certificates, and asks for the key by the name that it also puts into the signature. */
function useHostKey(protocol: Protocol, exchange: Kex, { key, blob, algorithm }: HostKeyProof): void {
  exchange.negotiated.serverHostKey = algorithm;
  protocol._hostKeys = {
    [algorithm]: {
      type: "",
      getPublicSSH: () => blob,
      sign: (data) => key.sign(algorithm, data),
    },
  };
}

/**
 * Turns an exchange of ssh2's by curve25519 into the hybrid one: what the client sends, the secret and our answer are
 * others, and the client's own proposal is hashed. A secret of ssh2's is hashed as a string, which is what the hybrid one is.
 */
function makeHybrid(exchange: Kex, theirs: Buffer): void {
  let reply: Buffer | undefined;
  exchange._remoteKexinit = theirs;
  exchange.convertPublicKey = (clientInit) => clientInit;
  exchange.computeSecret = (clientInit) => {
    const answer = answerHybrid(clientInit);
    reply = answer.reply;
    return answer.secret;
  };
  exchange.getPublicKey = () => {
    if (!reply) throw new ProtocolError("an answer was asked for before its question");
    return reply;
  };
}

/**
 * Passes on what else comes between the messages of a later exchange, as OpenSSH does: strict key exchange forbids it in the
 * first one only (OpenSSH's PROTOCOL §1.10), ssh2 in each. asyncssh sends IGNORE there, and data, and could not exchange keys
 * again.
 */
function passOthers({ _decipher: decipher }: Protocol, others: PayloadHandler): void {
  if (!decipher) return;
  const next = decipher._onPayload;
  decipher._onPayload = (payload) => {
    const type = payload[0] ?? 0;
    return type < KEX_MESSAGES.first || type > KEX_MESSAGES.last ? others(payload) : next(payload);
  };
}
