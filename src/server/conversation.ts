import type { Channels } from "./channels.ts";
import { type HostKeyRotation, PROVE_HOST_KEYS } from "./host-key-rotation.ts";
import { MSG, message, Reader } from "./protocol.ts";
import type { Wire } from "./wire.ts";

/** What somebody who has logged in can talk about. */
export interface Conversation {
  readonly wire: Wire;
  readonly channels: Channels;
  readonly rotation: HostKeyRotation;
}

/** One message of the connection protocol (RFC 4254). @throws ProtocolError */
export function converse(payload: Buffer, talk: Conversation): void {
  const type = payload[0] ?? 0;
  switch (type) {
    case MSG.GLOBAL_REQUEST:
      answerGlobal(new Reader(payload, 1), talk);
      break;
    case MSG.REQUEST_SUCCESS:
    case MSG.REQUEST_FAILURE:
    // RFC 4252 §5.1: after the login, requests for one are silently ignored.
    case MSG.USERAUTH_REQUEST:
      break;
    default:
      if (type >= MSG.CHANNEL_OPEN && type <= MSG.CHANNEL_FAILURE) talk.channels.message(payload);
      else talk.wire.unimplemented();
  }
}

function answerGlobal(fields: Reader, { wire, channels, rotation }: Conversation): void {
  const name = fields.text();
  const wantsReply = fields.boolean();
  if (name === PROVE_HOST_KEYS && wantsReply) {
    rotation.prove(fields);
    return;
  }
  const granted = name === "no-more-sessions@openssh.com";
  if (granted) channels.refuseSessions();
  if (wantsReply) wire.send(message(granted ? MSG.REQUEST_SUCCESS : MSG.REQUEST_FAILURE));
}
