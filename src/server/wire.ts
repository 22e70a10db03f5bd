import crypto from "ssh2/lib/protocol/crypto.js";
import { KexInit } from "ssh2/lib/protocol/kex.js";
import Protocol from "ssh2/lib/protocol/Protocol.js";
import { CLIENT_SIGNATURES, isSignatureAlgorithm, type SignatureAlgorithm } from "./algorithms.ts";
import { forgetExchange, NO_KEYS, propose } from "./exchange.ts";
import { Frames, PAYLOAD_AT } from "./frames.ts";
import { HeldBack } from "./held-back.ts";
import type { HostKeys } from "./host-keys.ts";
import { IDENT, IdentLine } from "./ident.ts";
import { proposalOf } from "./proposal.ts";
import { asProtocolError, DISCONNECT, type DisconnectCode, MSG, message, ProtocolError } from "./protocol.ts";

/** What happens on the wire. A handler that throws {@link ProtocolError} ends the connection with its text. */
export interface WireHandler {
  /** Encrypted or plain bytes for the client, in order. The buffer is given away, or until `done` is called, when that is given. */
  write(bytes: Uint8Array, done?: () => void): void;
  /** A decrypted message after the first key exchange. The buffer is a view, valid until this returns. */
  message(payload: Buffer): void;
  /** Keys are being exchanged, or are to be: messages are held back until {@link ready}. */
  exchanging(): void;
  /** Keys are in use; the first time, the client may log in. */
  ready(): void;
  /** The client broke the protocol; it has been told, and nothing more is sent or received. */
  failed(error: ProtocolError): void;
}

export interface Wire {
  /** Whether the client's identification line has come. */
  identified(): boolean;
  /** Hash of the first key exchange, which signatures are bound to. */
  sessionId(): Buffer;
  /** What the host key signed the latest exchange with. */
  hostKeyAlgorithm(): SignatureAlgorithm;
  /** Whether messages are held back. Data should wait; see {@link WireHandler.ready}. */
  busy(): boolean;
  /** Whether views of the chunk are still needed when this returns: it must not be written to then. */
  receive(chunk: Buffer): boolean;
  send(payload: Buffer): void;
  /** SSH_MSG_CHANNEL_DATA; the bytes are copied. While busy they are held back like a message, and too many end the connection. */
  sendData(recipient: number, data: Uint8Array): void;
  /** Starts a key exchange, unless one is going on. Not before the login: clients do not expect it there. */
  rekey(): void;
  /** Does so whenever that many bytes went in one direction with the same keys; those that already did count. */
  rekeyAfter(bytes: number): void;
  /** The client sent something that nobody here knows (RFC 4253 §11.4). */
  unimplemented(): void;
  /** Gives up what is kept for bulk data, when there has been none since the last time. */
  rest(): void;
  /** Says why, and falls silent. */
  disconnect(code: DisconnectCode, text: string): void;
  /** Falls silent without a word. Idempotent. */
  silence(): void;
}

/** Ends ssh2's loop over the rest of a chunk. */
const ENOUGH = Number.POSITIVE_INFINITY;

/** Resolves when every cipher can be used. Await it once before the first {@link createWire}. */
export const wireReady: Promise<void> = crypto.init;

/** Whether ciphers run in ssh2's native binding; without it they cost about a third more CPU. */
export const hasNativeCiphers: boolean = crypto.bindingAvailable;

/**
 * The packet layer, key exchange and ciphers of ssh2 (RFC 4253), and nothing above them: what ssh2 makes of messages
 * after the key exchange is replaced, because it neither keeps a request's algorithm name, nor refuses malformed
 * input alike, nor bounds what it queues.
 */
export function createWire(hostKeys: HostKeys, handler: WireHandler): Wire {
  const { offer, proposal } = proposalOf(hostKeys, (offer) => new KexInit(offer));
  const ident = new IdentLine();
  const frames = new Frames();
  const held = new HeldBack();
  let identified = false;
  let dead = false;
  let wantsExtInfo = false;
  let ready = false;
  /** With the keys in use. */
  let sent = 0;
  let received = 0;
  let mostBytes = Number.POSITIVE_INFINITY;
  /** ssh2 is at work on a chunk. */
  let parsing = false;

  const protocol = new Protocol({
    server: true,
    // The one that is agreed on comes with the exchange.
    hostKeys: NO_KEYS,
    offer: proposal,
    messageHandlers: {
      DISCONNECT(_, code, text) {
        if (!dead) handler.message(message(MSG.DISCONNECT, code, text, ""));
      },
    },
    onWrite(bytes) {
      if (dead) return;
      sent += bytes.length;
      handler.write(bytes, frames.claim(bytes));
    },
    onError: (error) => fail(new ProtocolError(error.message, DISCONNECT.KEY_EXCHANGE_FAILED)),
    onHeader: () => watchFirstKexInit(),
    onHandshakeComplete: () => keysInUse(),
  });
  protocol._identRaw = IDENT;
  // Where ssh2 would end the connection without a word, `fail` does it, and says why; and it frees its ciphers where it works
  // with them.
  protocol.disconnect = () => undefined;
  protocol._destruct = () => undefined;
  const exchangeKeys = protocol._onPayload;
  protocol._onPayload = (payload) => {
    if (dead) return ENOUGH;
    if (payload.length === 0) return undefined;
    if (payload[0] === MSG.KEXINIT) {
      if (!busy()) handler.exchanging();
      return propose(protocol, offer, hostKeys.proofs, payload, exchangeKeys);
    }
    handler.message(payload);
    return dead ? ENOUGH : undefined;
  };

  function watchFirstKexInit(): void {
    const decipher = protocol._decipher;
    if (!decipher) return;
    const next = decipher._onPayload;
    decipher._onPayload = (payload) => {
      const proposal = payload[0] === MSG.KEXINIT;
      const result = proposal ? propose(protocol, offer, hostKeys.proofs, payload, next) : next(payload);
      if (proposal && protocol._kex) {
        // What ssh2 says in EXT_INFO is wrong: keysInUse says it.
        wantsExtInfo = protocol._kex.remoteExtInfoEnabled;
        protocol._kex.remoteExtInfoEnabled = false;
      }
      return dead ? ENOUGH : result;
    };
  }

  function identify(chunk: Buffer): void {
    const found = ident.take(chunk);
    if (!found) return;
    identified = true;
    // ssh2 loses pieces of a line that comes in more than two: it gets it whole.
    parse(found.line);
    if (!dead && found.rest.length > 0) parse(found.rest);
  }

  function keysInUse(): void {
    if (dead) return;
    forgetExchange(protocol);
    if (!ready) {
      ready = true;
      // RFC 8308 §2.4: the first message after the new keys, or none.
      if (wantsExtInfo) send(message(MSG.EXT_INFO, 1, "server-sig-algs", CLIENT_SIGNATURES.join(",")));
    }
    sent = 0;
    received = 0;
    for (const payload of held.take()) send(payload);
    handler.ready();
  }

  function busy(): boolean {
    return protocol._kexinit !== undefined;
  }

  function rekey(): void {
    if (dead || !ready || busy()) return;
    handler.exchanging();
    protocol.rekey();
  }

  function rekeyIfWorn(): void {
    if (sent >= mostBytes || received >= mostBytes) rekey();
  }

  function encrypt(payload: Buffer): void {
    const packet = protocol._cipher.allocPacket(payload.length);
    packet.set(payload, PAYLOAD_AT);
    protocol._cipher.encrypt(packet);
  }

  function send(payload: Buffer): void {
    if (dead) return;
    if (!busy()) encrypt(payload);
    else if (!held.add(payload)) fail(new ProtocolError("too many requests during a key exchange"));
  }

  function disconnect(code: DisconnectCode, text: string): void {
    if (dead) return;
    // Before the client's identification it could not tell this from noise.
    if (identified) encrypt(message(MSG.DISCONNECT, code, text, ""));
    silence();
  }

  function silence(): void {
    if (dead) return;
    dead = true;
    held.take();
    if (!parsing) free();
  }

  /**
   * Never while ssh2 parses: its native ciphers end the process when they are used once more, and after a DISCONNECT or a bad
   * public key during a key exchange it goes on to the end of the chunk.
   */
  function free(): void {
    protocol._destruct = Protocol.prototype._destruct;
    protocol.cleanup();
  }

  function parse(chunk: Buffer): void {
    parsing = true;
    try {
      protocol.parse(chunk, 0, chunk.length);
    } finally {
      parsing = false;
      if (dead) free();
    }
  }

  function fail(error: ProtocolError): void {
    if (dead) return;
    disconnect(error.code, error.message);
    handler.failed(error);
  }

  return {
    identified: () => identified,
    sessionId() {
      const id = protocol._kex?.sessionID;
      if (!id) throw new ProtocolError("there is no session before the key exchange");
      return id;
    },
    hostKeyAlgorithm() {
      const name = protocol._kex?.negotiated.serverHostKey ?? "";
      if (!isSignatureAlgorithm(name)) throw new ProtocolError("no host key was agreed on");
      return name;
    },
    busy,

    receive(chunk) {
      if (dead) return false;
      const exchanging = !ready || protocol._kexinit !== undefined;
      try {
        if (identified) {
          received += chunk.length;
          parse(chunk);
          rekeyIfWorn();
        } else {
          identify(chunk);
        }
      } catch (error) {
        fail(asProtocolError(error));
      }
      if (dead) return false;
      // ssh2's key exchange keeps what it was given.
      if (exchanging || protocol._kexinit !== undefined) return true;
      // Of a packet that is complete but for its tag it keeps a view.
      const decipher = protocol._decipher;
      const packet = decipher?._packet;
      if (packet && packet.buffer === chunk.buffer) decipher._packet = Buffer.from(packet);
      return false;
    },

    send,

    sendData(recipient, data) {
      if (dead) return;
      if (busy()) return send(message(MSG.CHANNEL_DATA, recipient, Buffer.from(data)));
      const packet = frames.take(protocol._cipher, 9 + data.length);
      packet[PAYLOAD_AT] = MSG.CHANNEL_DATA;
      packet.writeUInt32BE(recipient, PAYLOAD_AT + 1);
      packet.writeUInt32BE(data.length, PAYLOAD_AT + 5);
      packet.set(data, PAYLOAD_AT + 9);
      frames.encrypt(protocol._cipher, packet);
      rekeyIfWorn();
    },

    rest: () => frames.rest(),
    rekey,
    rekeyAfter(bytes) {
      mostBytes = bytes;
    },

    unimplemented() {
      const received = protocol._decipher?.inSeqno ?? 0;
      send(message(MSG.UNIMPLEMENTED, (received - 1) >>> 0));
    },

    disconnect,
    silence,
  };
}
