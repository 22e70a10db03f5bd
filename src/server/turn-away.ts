import type { Socket } from "node:net";
import type { Clock } from "../util/clock.ts";
import { GREETING } from "./ident.ts";
import { DISCONNECT, MSG, message } from "./protocol.ts";
import type { Objection } from "./strangers.ts";

/** Turned away, and not gone yet; beyond that nothing is said. */
const MOST_WAITING = 64;

/** For the client to read it and close. */
const PATIENCE_MS = 1_000;

/** What sshd says in place of its identification. */
const LINES: Record<Objection["why"], string> = {
  penalty: "Not allowed at this time",
  startups: "Exceeded MaxStartups",
};

/**
 * Ends connections that are not let in, with a word where that costs little: a line before our identification, as sshd has it,
 * and the reason in a DISCONNECT in the clear behind it, which clients show.
 */
export function createTurnAway(clock: Clock): (socket: Socket, objection: Objection) => void {
  let waiting = 0;
  return (socket, { why, text }) => {
    if (waiting >= MOST_WAITING) return void socket.resetAndDestroy();
    waiting += 1;
    socket.once("close", () => {
      waiting -= 1;
    });
    // Unread, what the client says would turn the close into a reset, and lose what we say.
    socket.resume();
    const words = inTheClear(message(MSG.DISCONNECT, DISCONNECT.TOO_MANY_CONNECTIONS, text, ""));
    socket.end(Buffer.concat([Buffer.from(`${LINES[why]}\r\n`), GREETING, words]));
    socket.once("end", () => socket.destroy());
    clock.sleep(PATIENCE_MS).then(
      () => socket.destroy(),
      () => undefined,
    );
  };
}

/** A packet before keys are exchanged (RFC 4253 §6): a multiple of 8 bytes, with at least 4 of padding. */
function inTheClear(payload: Buffer): Buffer {
  const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8);
  const packet = Buffer.alloc(5 + payload.length + padding);
  packet.writeUInt32BE(packet.length - 4);
  packet[4] = padding;
  packet.set(payload, 5);
  return packet;
}
