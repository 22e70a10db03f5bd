import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type RawClient, rawClient } from "../harness/raw-client.ts";
import { signatureOf } from "../harness/sign.ts";
import type { KeyFiles } from "../harness/ssh.ts";
import {
  bytesOf,
  edited,
  framed,
  type Login,
  type Message,
  type Names,
  type Session,
  type Step,
} from "./steps.ts";

export interface Stage extends Names {
  readonly port: number;
  readonly keys: Readonly<Record<Login["key"], KeyFiles>>;
}

export interface Played {
  /** Messages sent, whole or not. */
  readonly messages: number;
  /** How often each type of message came back. */
  readonly answers: ReadonlyMap<number, number>;
}

/** How long an answer is waited for that may never come. */
const ANSWER_MS = 300;
/** A key exchange as it should be, on a machine that does much else. */
const EXCHANGE_MS = 30_000;
/** What the kernel has not taken is no load for the server; more of it only costs memory here. */
const MOST_UNSENT = 4 * 1024 * 1024;

/**
 * Plays a session, as far as the server lets it. The connection is gone when this resolves.
 *
 * @throws Error when a key exchange as it should be is neither finished nor refused in time.
 */
export async function play({ from, steps }: Session, stage: Stage): Promise<Played> {
  const socket = connect({ port: stage.port, host: "127.0.0.1", localAddress: from, noDelay: true });
  socket.on("error", () => undefined);
  // Before a key exchange nobody else listens.
  socket.on("data", () => undefined);
  const player = createPlayer(socket, stage);
  try {
    await Promise.race([once(socket, "connect"), once(socket, "close")]);
    for (const step of steps) {
      if (socket.destroyed) break;
      await player.play(step);
    }
    return player.played;
  } finally {
    socket.destroy();
    if (!socket.closed) await once(socket, "close");
  }
}

function createPlayer(socket: Socket, stage: Stage) {
  const answers = new Map<number, number>();
  let messages = 0;
  let client: RawClient | undefined;
  let heard: () => void = () => undefined;
  /** While set, what would be sent is kept: a packet that is to be spoilt, and what is to go out at once. */
  let kept: Buffer[] | undefined;
  let gathered: Buffer[] | undefined;

  const write = (bytes: Uint8Array): void => {
    const keep = kept ?? gathered;
    if (keep) keep.push(Buffer.from(bytes));
    else if (socket.writable) socket.write(bytes);
  };

  const until = async (met: () => boolean, ms: number): Promise<void> => {
    const end = Date.now() + ms;
    while (!met() && !socket.destroyed && Date.now() < end) {
      const next = new Promise<void>((resolve) => {
        heard = resolve;
      });
      await Promise.race([next, systemClock.sleep(10)]);
    }
  };

  const slowly = async (bytes: Buffer): Promise<void> => {
    for (const byte of bytes) {
      write(Buffer.of(byte));
      await systemClock.sleep(0);
    }
  };

  const send = async (payload: Buffer, times: number): Promise<void> => {
    // As many as make sense: a flood of large ones is one of bytes only.
    for (let n = Math.min(times, Math.max(1, 2 ** 21 / payload.length)); n > 0 && socket.writable; n--) {
      messages += 1;
      client?.send(payload);
      if (socket.writableLength > MOST_UNSENT) await until(() => socket.writableLength < MOST_UNSENT, 2_000);
    }
  };

  const spoil = (payload: Buffer, edits: Parameters<typeof edited>[1]): void => {
    messages += 1;
    kept = [];
    client?.send(payload);
    const packet = Buffer.concat(kept);
    kept = undefined;
    write(edited(packet, edits));
  };

  const release = async (pieces: number): Promise<void> => {
    const all = Buffer.concat(gathered ?? []);
    gathered = undefined;
    const size = Math.ceil(all.length / pieces);
    for (let at = 0; at < all.length; at += size) {
      if (at > 0) await systemClock.sleep(0);
      write(all.subarray(at, at + size));
    }
  };

  const exchange = async (step: Extract<Step, { do: "exchange" }>): Promise<void> => {
    const { kex, cipher, mac, hostKey } = step;
    const onMessage = (payload: Buffer): void => {
      const type = payload[0] ?? 0;
      answers.set(type, (answers.get(type) ?? 0) + 1);
      heard();
    };
    let late = false;
    const over = new AbortController();
    const limit = systemClock.sleep(EXCHANGE_MS, over.signal).then(
      () => {
        late = true;
        socket.destroy();
      },
      () => undefined,
    );
    try {
      client = await rawClient(stage.port, { socket, kex, cipher, mac, hostKey, onMessage, write });
    } catch {
      if (late) throw new Error(`a key exchange (${kex}, ${cipher}) took longer than ${EXCHANGE_MS} ms`);
    } finally {
      over.abort();
      await limit;
    }
  };

  const play = async (step: Step): Promise<void> => {
    switch (step.do) {
      case "bytes":
        return step.slow ? slowly(Buffer.from(step.hex, "hex")) : write(Buffer.from(step.hex, "hex"));
      case "plain":
        messages += 1;
        return write(edited(framed(bytesOf(step.message, stage)), step.edits ?? []));
      case "exchange":
        return exchange(step);
      case "send":
        return send(bytesOf(step.message, stage), step.times ?? 1);
      case "spoil":
        return spoil(bytesOf(step.message, stage), step.edits);
      case "login":
        return send(loginRequest(client?.sessionId ?? Buffer.alloc(0), step.login, stage), 1);
      case "rekey":
        return client?.rekey();
      case "await":
        return until(() => (answers.get(step.type) ?? 0) >= (step.times ?? 1), ANSWER_MS);
      case "settle":
        return until(() => !client?.busy, ANSWER_MS);
      case "wait":
        return systemClock.sleep(step.ms);
      case "gather":
        gathered ??= [];
        return;
      case "release":
        return release(step.pieces ?? 1);
      case "deaf":
        return void socket.pause();
      case "listen":
        return void socket.resume();
      case "end":
        return void socket.end();
      case "reset":
        return void socket.resetAndDestroy();
      default:
        step satisfies never;
    }
  };

  return {
    /** What the client's half of the protocol cannot do any more is not done. */
    play: async (step: Step): Promise<void> => {
      try {
        await play(step);
      } catch (error) {
        if (step.do === "exchange") throw error;
      }
    },
    get played(): Played {
      return { messages, answers };
    },
  };
}

function loginRequest(sessionId: Buffer, login: Login, stage: Stage): Buffer {
  const key = stage.keys[login.key];
  const own = key.type === "ssh-rsa" ? "rsa-sha2-512" : key.type;
  const algorithm = login.algorithm ?? own;
  const blob = edited(stage.blobs[login.blob ?? login.key], login.blobEdits ?? []);
  const fields = [login.user, "ssh-connection", "publickey", true, algorithm, { hex: blob.toString("hex") }];
  const request = bytesOf({ type: MSG.USERAUTH_REQUEST, fields } as Message, stage);
  const signed = Buffer.concat([message(0, sessionId).subarray(1), request]);
  const name = key.type === "ssh-rsa" && algorithm.startsWith("rsa-sha2-") ? algorithm.slice(0, 12) : own;
  const signature = message(0, signatureOf(key, name, signed)).subarray(1);
  return edited(Buffer.concat([request, signature]), login.edits ?? []);
}
