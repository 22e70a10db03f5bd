import type { ServerConfig } from "../config/types.ts";
import type { AuthOutcome, EventStream } from "../observe/events.ts";
import type { Controls } from "../targets/by-hand.ts";
import type { Targets } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { type Deadline, deadline } from "../util/deadline.ts";
import { LazysshError } from "../util/errors.ts";
import type { Credential } from "./auth/credential.ts";
import { watchStanding } from "./auth/standing.ts";
import { type Channels, createChannels } from "./channels.ts";
import { converse } from "./conversation.ts";
import { excess } from "./excess.ts";
import { PROGRESS, type Progress } from "./gate.ts";
import { createHostKeyRotation } from "./host-key-rotation.ts";
import type { HostKeys } from "./host-keys.ts";
import { type Identity, whoIs } from "./identity.ts";
import { type Release, readInto } from "./inlet.ts";
import type { Limits } from "./limits.ts";
import type { Comer } from "./lobby.ts";
import { createLogin } from "./login.ts";
import { createOutlet } from "./outlet.ts";
import { createPatience } from "./patience.ts";
import type { Offence } from "./penalties.ts";
import { objectionTo, sees } from "./permissions.ts";
import { DISCONNECT, type DisconnectCode, MSG, message, type ProtocolError, Reader } from "./protocol.ts";
import { createPulse } from "./pulse.ts";
import { printable, refusalOf } from "./refusal.ts";
import { createReservation } from "./reservation.ts";
import type { Sockets } from "./sockets.ts";
import type { Guest } from "./strangers.ts";
import type { WindowBudget } from "./window-budget.ts";
import { createWire } from "./wire.ts";

export interface ConnectionOptions extends Comer {
  /** As it is now: it may be reloaded. */
  readonly config: () => ServerConfig;
  readonly hostKeys: HostKeys;
  readonly targets: Targets;
  readonly controls: Controls;
  /** Since when the server serves, milliseconds since the epoch. */
  readonly serverSince: number;
  readonly events: EventStream;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly sockets: Sockets;
  readonly windows: WindowBudget;
  /** Why no channel may be opened any more; undefined as long as they may. */
  readonly refusing: () => string | undefined;
  /** Asked when the client has proved who it is: why it may not come in all the same. */
  readonly full: () => string | undefined;
  /** The client has proved who it is, and may come in. */
  readonly onEntered: () => void;
  /** The socket is closed and nothing is held any more. */
  readonly onClosed: (offence: Offence | undefined) => void;
}

/** One client, from its TCP connection to the end of it. */
export interface Connection extends Guest {
  /** What it sends, from the beginning; our identification line has been sent. */
  receive(bytes: Buffer): void;
  /** Looks for signs of life; call it every third of `keepaliveMs`. */
  pulse(): void;
  /** Says why, drops what is under way, gives machines back and closes. Idempotent. */
  end(code: DisconnectCode, reason: string): void;
}

export function serveConnection(options: ConnectionOptions): Connection {
  const { clock, limits, events, address, cameAt } = options;
  const socket = readInto(options.socket, onBytes);
  let { tenant } = options;
  const { connection, client } = tenant;
  let keysSince = cameAt;
  let channels: Channels | undefined;
  /** Whose key has proved itself. */
  let identity: Identity | undefined;
  let credential: Credential | undefined;
  const reservation = createReservation(clock, limits.handoverMs);
  let ended: string | undefined;
  let closing: Deadline | undefined;
  /** How far it has come, and when: what is answered, without getters, which cost an object its shape. */
  const way: { progress: Progress; since: number } = { progress: PROGRESS.SILENT, since: cameAt };
  let offence: Offence | undefined;
  /** Key exchanges after the first. */
  let exchanges = 0;

  socket.setNoDelay(true);
  const outlet = createOutlet(socket, { onDrain: () => channels?.resume() });
  const wire = createWire(options.hostKeys, {
    write: outlet.write,
    message: receive,
    exchanging() {
      exchanges += 1;
      patience.exchanging();
    },
    ready() {
      if (way.progress < PROGRESS.EXCHANGED) comeFurther(PROGRESS.EXCHANGED);
      patience.exchanged();
      keysSince = clock.now();
      channels?.resume();
    },
    failed(error: ProtocolError) {
      offence ??= error.code === DISCONNECT.NO_MORE_AUTH_METHODS ? "failed_logins" : "broke_protocol";
      finish(error.message);
    },
  });
  const rotation = createHostKeyRotation(wire, options.hostKeys);
  const login = createLogin({
    wire,
    context: () => ({ ...options.config(), now: clock.now(), address }),
    tries: limits.authTries,
    onOutcome(outcome: AuthOutcome) {
      if (!outcome.accepted) offence = "failed_logins";
      events.emit({ type: "connection.auth", connection, client, ...outcome });
    },
    onVerified(verified, shown) {
      identity = verified;
      credential = shown;
      const { user: name, permissions } = verified;
      const { maxMachines, targets, permitOpen } = permissions;
      const reach = { targets, permitOpen };
      tenant = { ...tenant, user: { name, maxMachines, reach, sees: (target) => sees(reach, target) } };
      patience.known();
      const full = options.full();
      if (full !== undefined) end(DISCONNECT.TOO_MANY_CONNECTIONS, full);
      else options.onEntered();
    },
    boot,
    onEnter: enter,
  });
  const pulse = createPulse(limits, {
    ask: () => wire.send(message(MSG.GLOBAL_REQUEST, "keepalive@openssh.com", true)),
    dead: (reason) => end(DISCONNECT.CONNECTION_LOST, reason),
  });
  const patience = createPatience({
    clock,
    limits,
    cameAt,
    onOver(reason) {
      offence = "dawdled";
      end(DISCONNECT.BY_APPLICATION, reason);
    },
  });

  function enter(): void {
    if (ended !== undefined || !identity || !credential) return;
    wire.rekeyAfter(limits.rekeyBytes);
    rotation.announce();
    channels = createChannels({
      ...options,
      wire,
      identity,
      expelled: watchStanding(identity, credential, options.config),
      tenant,
      congested: outlet.full,
      onRouted: reservation.giveBack,
    });
  }

  async function boot(target: string, say: (line: string) => void): Promise<boolean> {
    try {
      const refusing = options.refusing();
      if (refusing !== undefined) throw new LazysshError("SHUTTING_DOWN", refusing);
      const forbidden = identity && objectionTo(identity, { target, port: undefined });
      if (forbidden !== undefined) throw new LazysshError("NOT_PERMITTED", forbidden);
      await reservation.boot({ target, tenant, targets: options.targets, say });
      return true;
    } catch (error) {
      end(DISCONNECT.BY_APPLICATION, refusalOf(error).text);
      return false;
    }
  }

  function receive(payload: Buffer): void {
    const type = payload[0] ?? 0;
    switch (type) {
      case MSG.DISCONNECT: {
        const fields = new Reader(payload, 1);
        fields.uint32();
        wire.silence();
        finish(`the client left (${printable(fields.text())})`);
        break;
      }
      case MSG.IGNORE:
      case MSG.UNIMPLEMENTED:
      case MSG.DEBUG:
      case MSG.EXT_INFO:
        break;
      default:
        if (channels) {
          converse(payload, { wire, channels, rotation });
        } else {
          comeFurther(PROGRESS.TRYING);
          login.message(payload);
        }
    }
  }

  function end(code: DisconnectCode, reason: string): void {
    if (ended !== undefined) return;
    wire.disconnect(code, reason);
    finish(reason);
  }

  /** Nothing more is said: gives everything back and closes the socket, by force if it takes too long. */
  function finish(reason: string): void {
    if (ended !== undefined) return;
    ended = reason;
    patience.end();
    channels?.abandon(reason);
    reservation.leave(reason);
    closing = deadline(clock, limits.closeMs, () => undefined);
    closing.signal.addEventListener("abort", () => socket.destroy());
    socket.end();
    // What still comes is thrown away; unread, it would turn the close into a reset and lose our last words.
    socket.resume();
  }

  function comeFurther(to: Progress): void {
    way.progress = to;
    way.since = clock.now();
  }

  function whatIsTooMuch(): string | undefined {
    const { bytesRead: received, bytesWritten: sent } = socket;
    const seconds = (clock.now() - cameAt) / 1_000;
    return excess({ loggedIn: identity !== undefined, exchanges, seconds, received, sent });
  }

  function onBytes(chunk: Buffer, hold: () => Release): boolean {
    pulse.heard();
    const kept = wire.receive(chunk);
    channels?.flush(hold);
    if (way.progress === PROGRESS.SILENT && wire.identified()) comeFurther(PROGRESS.IDENTIFIED);
    if (ended !== undefined) return kept;
    const tooMuch = whatIsTooMuch();
    if (tooMuch === undefined) {
      outlet.holdBackReader();
    } else {
      offence = "broke_protocol";
      end(DISCONNECT.PROTOCOL_ERROR, tooMuch);
    }
    return kept;
  }

  socket.on("error", (error) => finish(`the connection broke (${error.message})`));
  socket.on("end", () => finish("the client closed the connection"));
  socket.on("close", () => {
    finish("the client closed the connection");
    closing?.[Symbol.dispose]();
    wire.silence();
    const seconds = (clock.now() - cameAt) / 1000;
    const { opened = 0, bytesUp = 0, bytesDown = 0 } = channels?.sums ?? {};
    events.emit({
      type: "connection.close",
      connection,
      client,
      ...(identity && whoIs(identity)),
      reason: ended ?? "",
      seconds,
      channels: opened,
      bytesUp,
      bytesDown,
    });
    options.onClosed(identity ? undefined : offence);
  });
  events.emit({ type: "connection.open", connection, client });

  return Object.assign(way, {
    receive: (first: Buffer) => void onBytes(first, () => () => undefined),
    id: connection,
    source: options.source,
    drop(reason: string) {
      offence ??= "dawdled";
      end(DISCONNECT.TOO_MANY_CONNECTIONS, reason);
      // It is not waited for: there may be thousands.
      socket.destroySoon();
    },
    pulse() {
      if (!channels || ended !== undefined) return;
      pulse.beat();
      wire.rest();
      if (clock.now() - keysSince >= limits.rekeyMs) wire.rekey();
    },
    end,
  });
}
