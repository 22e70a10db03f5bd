import { connect, type Socket } from "node:net";
import Protocol from "ssh2/lib/protocol/Protocol.js";
import { MSG, message, Reader } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { deadline } from "../../src/util/deadline.ts";
import { type SignOptions, signatureOf } from "./sign.ts";
import type { KeyFiles } from "./ssh.ts";

/**
 * A client that does what it is told, also what no decent client does: it exchanges keys as it should, and then
 * sends any message at any time and takes no notice of windows.
 */
export interface RawClient extends AsyncDisposable {
  readonly socket: Socket;
  /** Resolves when the server has closed the TCP connection. */
  readonly closed: Promise<void>;
  readonly sessionId: Buffer;
  /** Whether a key exchange is going on; nothing but its messages may be sent then. */
  readonly busy: boolean;
  send(payload: Buffer): void;
  /** Removes the first message of this type and returns its fields; waits for it if need be. */
  next(type: number): Promise<Reader>;
  /** Messages of this type that are there and were not taken. */
  count(type: number): number;
  /** Removes all messages that are there. */
  rest(): readonly Buffer[];
  rekey(): void;
  login(key: KeyFiles, user?: string): Promise<void>;
  /** Opens a `direct-tcpip` channel and returns the server's number and window. */
  open(target: string, port: number, options?: { id?: number; window?: number }): Promise<OpenedChannel>;
}

interface OpenedChannel {
  readonly id: number;
  readonly window: number;
}

export interface RawOptions {
  readonly cipher?: string;
  /** Takes no notice of a key exchange that the server starts. */
  readonly ignoresRekey?: boolean;
  /** For ciphers that need one. */
  readonly mac?: string;
  readonly kex?: string;
  /** Default: one of each type, ed25519 first. */
  readonly hostKey?: string;
  /** One that is connected, or will be. Default: a new one to the port. */
  readonly socket?: Socket;
  /** Gets each message; none is kept for `next` then. */
  readonly onMessage?: (payload: Buffer) => void;
  /** Sends bytes to the server, or something else. */
  readonly write?: (bytes: Uint8Array) => void;
}

const DEADLINE_MS = 15_000;

export async function rawClient(port: number, options: RawOptions = {}): Promise<RawClient> {
  const socket = options.socket ?? connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const received: Buffer[] = [];
  let wake: () => void = () => undefined;
  let ready: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const take = (payload: Buffer): void => {
    if (options.onMessage) {
      options.onMessage(payload);
      return;
    }
    received.push(Buffer.from(payload));
    wake();
  };
  const ciphers = options.cipher ? [options.cipher] : ["aes128-gcm@openssh.com"];
  const direction = { cipher: ciphers, mac: [options.mac ?? "hmac-sha2-256"], compress: ["none"], lang: [] };
  const protocol = new Protocol({
    server: false,
    offer: {
      kex: [options.kex ?? "curve25519-sha256"],
      serverHostKey: options.hostKey
        ? [options.hostKey]
        : ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"],
      cs: direction,
      sc: direction,
    },
    messageHandlers: { DISCONNECT: (_, code, text) => take(message(MSG.DISCONNECT, code, text, "")) },
    onWrite: options.write ?? ((bytes) => void socket.write(bytes)),
    onError: () => socket.destroy(),
    onHandshakeComplete: () => ready(),
  });
  const exchangeKeys = protocol._onPayload;
  protocol._onPayload = (payload) => {
    if (payload[0] === MSG.KEXINIT && !options.ignoresRekey) return exchangeKeys(payload);
    take(payload);
    return undefined;
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      protocol.parse(chunk, 0, chunk.length);
    } catch {
      socket.destroy();
    }
  });
  protocol.start();
  await Promise.race([
    isReady,
    closed.then(() => Promise.reject(new Error("closed during the key exchange"))),
  ]);

  const send = (payload: Buffer): void => {
    const packet = protocol._cipher.allocPacket(payload.length);
    packet.set(payload, 5);
    protocol._cipher.encrypt(packet);
  };

  const next = async (type: number): Promise<Reader> => {
    using limit = deadline(
      systemClock,
      DEADLINE_MS,
      () => new Error(`no message ${type} within ${DEADLINE_MS} ms`),
    );
    for (;;) {
      const index = received.findIndex((payload) => payload[0] === type);
      const [found] = index === -1 ? [] : received.splice(index, 1);
      if (found) return new Reader(found, 1);
      limit.signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        wake = resolve;
        limit.signal.addEventListener("abort", () => resolve(), { once: true });
        void closed.then(() => systemClock.sleep(50)).then(resolve);
      });
      if (socket.closed && !received.some((payload) => payload[0] === type)) {
        throw new Error(`the connection was closed before message ${type}`);
      }
    }
  };

  const client: RawClient = {
    socket,
    closed,
    get sessionId() {
      return protocol._kex?.sessionID ?? Buffer.alloc(0);
    },
    get busy() {
      return protocol._kexinit !== undefined;
    },
    send,
    next,
    count: (type) => received.filter((payload) => payload[0] === type).length,
    rest: () => received.splice(0),
    rekey: () => protocol.rekey(),
    async login(key, user = "jump") {
      send(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
      await next(MSG.SERVICE_ACCEPT);
      send(signedRequest(client.sessionId, key, user));
      await next(MSG.USERAUTH_SUCCESS);
      // The host keys.
      await next(MSG.GLOBAL_REQUEST);
    },
    async open(target, targetPort, { id = 0, window = 1024 * 1024 } = {}) {
      send(directTcpip(target, targetPort, id, window));
      const fields = await next(MSG.CHANNEL_OPEN_CONFIRMATION);
      fields.uint32();
      return { id: fields.uint32(), window: fields.uint32() };
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await closed;
    },
  };
  return client;
}

export function directTcpip(
  target: string,
  port: number,
  id = 0,
  window = 1024 * 1024,
  maxPacket = 32_768,
): Buffer {
  return message(MSG.CHANNEL_OPEN, "direct-tcpip", id, window, maxPacket, target, port, "127.0.0.1", 65_535);
}

/** What is put in wrongly. */
export interface RequestParts extends SignOptions {
  readonly blob?: Buffer;
}

/** A login request with a signature by `key` (RFC 4252 §7). */
export function signedRequest(
  sessionId: Buffer,
  key: KeyFiles,
  user: string,
  wrong: RequestParts = {},
): Buffer {
  const blob = wrong.blob ?? key.blob;
  const algorithm = key.type === "ssh-rsa" ? "rsa-sha2-512" : key.type;
  const request = message(MSG.USERAUTH_REQUEST, user, "ssh-connection", "publickey", true, algorithm, blob);
  const signed = Buffer.concat([lengthOf(sessionId), sessionId, request]);
  const signature = signatureOf(key, algorithm, signed, wrong);
  return Buffer.concat([request, lengthOf(signature), signature]);
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return length;
}
