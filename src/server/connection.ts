import type { Socket } from "node:net";
import type { ServerConfig } from "../config/types.ts";
import type { AuthOutcome, EventStream } from "../observe/events.ts";
import type { ByHand } from "../targets/by-hand.ts";
import type { Lease, Targets, Tenant } from "../targets/lease.ts";
import type { Clock } from "../util/clock.ts";
import { type Deadline, deadline } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { LazysshError } from "../util/errors.ts";
import type { Credential } from "./auth/credential.ts";
import { whyNoMore } from "./auth/standing.ts";
import { bootVisibly } from "./boot.ts";
import { type Channels, createChannels } from "./channels.ts";
import { createHostKeyRotation, PROVE_HOST_KEYS } from "./host-key-rotation.ts";
import type { HostKeys } from "./host-keys.ts";
import { type Identity, whoIs } from "./identity.ts";
import type { Limits } from "./limits.ts";
import { createLogin } from "./login.ts";
import { createOutlet } from "./outlet.ts";
import { objectionTo, sees } from "./permissions.ts";
import { DISCONNECT, type DisconnectCode, MSG, message, type ProtocolError, Reader } from "./protocol.ts";
import { createPulse } from "./pulse.ts";
import { printable, refusalOf } from "./refusal.ts";
import { createWire } from "./wire.ts";

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly tenant: Tenant;
  /** IP address of the client, without port or brackets. */
  readonly address: string;
  /** As it is now: it may be reloaded. */
  readonly config: () => ServerConfig;
  readonly hostKeys: HostKeys;
  readonly targets: Targets;
  readonly controls: ByHand;
  /** Since when the server serves, milliseconds since the epoch. */
  readonly since: number;
  readonly events: EventStream;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Why no channel may be opened any more; undefined as long as they may. */
  readonly refusing: () => string | undefined;
  /** The socket is closed and nothing is held any more. */
  readonly onClosed: () => void;
}

/** One client, from its TCP connection to the end of it. */
export interface Connection {
  readonly authenticated: boolean;
  /** Looks for signs of life; call it every third of `keepaliveMs`. */
  pulse(): void;
  /** Says why, drops what is under way, gives machines back and closes. Idempotent. */
  end(code: DisconnectCode, reason: string): void;
}

export function serveConnection(options: ConnectionOptions): Connection {
  const { socket, clock, limits, events, address } = options;
  let { tenant } = options;
  const { connection, client } = tenant;
  const since = clock.now();
  let keysSince = since;
  let channels: Channels | undefined;
  /** Whose key has proved itself. */
  let identity: Identity | undefined;
  let credential: Credential | undefined;
  /** Of a machine that is booted, or was, during the login: until a channel has it. */
  const left = new AbortController();
  let reserved: Lease | undefined;
  let handover: Deadline | undefined;
  let ended: string | undefined;
  let closing: Deadline | undefined;

  socket.setNoDelay(true);
  const outlet = createOutlet(socket, { onDrain: () => channels?.resume() });
  const wire = createWire(options.hostKeys, {
    write: outlet.write,
    message: receive,
    exchanging: () => startExchange(),
    ready() {
      exchange[Symbol.dispose]();
      keysSince = clock.now();
      channels?.resume();
    },
    failed: (error: ProtocolError) => finish(error.message),
  });
  const rotation = createHostKeyRotation(wire, options.hostKeys);
  const login = createLogin({
    wire,
    context: () => ({ ...options.config(), now: clock.now(), address }),
    tries: limits.authTries,
    onOutcome: (outcome: AuthOutcome) =>
      events.emit({ type: "connection.auth", connection, client, ...outcome }),
    onVerified(verified, shown) {
      identity = verified;
      credential = shown;
      const { user: name, permissions } = verified;
      const { maxMachines } = permissions;
      tenant = { ...tenant, user: { name, maxMachines, sees: (target) => sees(permissions, target) } };
      grace[Symbol.dispose]();
    },
    boot,
    onEnter: enter,
  });
  const pulse = createPulse(limits, {
    ask: () => wire.send(message(MSG.GLOBAL_REQUEST, "keepalive@openssh.com", true)),
    dead: (reason) => end(DISCONNECT.CONNECTION_LOST, reason),
  });

  /** Ends the connection when something is not done in time. */
  function within(ms: number, what: string): Deadline {
    const limit = deadline(clock, ms, () => `${what} took longer than ${formatDuration(ms)}`);
    limit.signal.addEventListener("abort", () => end(DISCONNECT.BY_APPLICATION, String(limit.signal.reason)));
    return limit;
  }
  const grace = within(limits.loginGraceMs, "the login");
  let exchange = within(limits.keyExchangeMs, "the key exchange");

  function startExchange(): void {
    exchange[Symbol.dispose]();
    exchange = within(limits.rekeyingMs, "the key exchange");
  }

  function enter(): void {
    if (ended !== undefined || !identity || !credential) return;
    wire.rekeyAfter(limits.rekeyBytes);
    rotation.announce();
    const [known, shown] = [identity, credential];
    /** By which it was let in, and those looked at since. */
    let good = options.config();
    channels = createChannels({
      ...options,
      wire,
      identity,
      expelled() {
        const config = options.config();
        const why = config === good ? undefined : whyNoMore(known, shown, config);
        if (why === undefined) good = config;
        return why;
      },
      tenant,
      congested: () => outlet.full,
      onRouted: giveReservedBack,
    });
  }

  async function boot(target: string, say: (line: string) => void): Promise<boolean> {
    try {
      const refusing = options.refusing();
      if (refusing !== undefined) throw new LazysshError("SHUTTING_DOWN", refusing);
      const forbidden = identity && objectionTo(identity, { target, port: undefined });
      if (forbidden !== undefined) throw new LazysshError("NOT_PERMITTED", forbidden);
      const { targets } = options;
      reserved = await bootVisibly({ target, tenant, targets, clock, say, signal: left.signal });
      if (ended !== undefined) {
        giveReservedBack();
        return false;
      }
      handover = deadline(clock, limits.handoverMs, () => "no channel was opened");
      handover.signal.addEventListener("abort", giveReservedBack);
      return true;
    } catch (error) {
      end(DISCONNECT.BY_APPLICATION, refusalOf(error).text);
      return false;
    }
  }

  function giveReservedBack(): void {
    handover?.[Symbol.dispose]();
    reserved?.release();
    reserved = undefined;
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
        if (channels) converse(type, payload, channels);
        else login.message(payload);
    }
  }

  /** The connection protocol (RFC 4254), open to those who have logged in. */
  function converse(type: number, payload: Buffer, open: Channels): void {
    switch (type) {
      case MSG.GLOBAL_REQUEST:
        answerGlobal(new Reader(payload, 1), open);
        break;
      case MSG.REQUEST_SUCCESS:
      case MSG.REQUEST_FAILURE:
      // RFC 4252 §5.1: after the login, requests for one are silently ignored.
      case MSG.USERAUTH_REQUEST:
        break;
      default:
        if (type >= MSG.CHANNEL_OPEN && type <= MSG.CHANNEL_FAILURE) open.message(payload);
        else wire.unimplemented();
    }
  }

  function answerGlobal(fields: Reader, open: Channels): void {
    const name = fields.text();
    const wantsReply = fields.boolean();
    if (name === PROVE_HOST_KEYS && wantsReply) {
      rotation.prove(fields);
      return;
    }
    const granted = name === "no-more-sessions@openssh.com";
    if (granted) open.refuseSessions();
    if (wantsReply) wire.send(message(granted ? MSG.REQUEST_SUCCESS : MSG.REQUEST_FAILURE));
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
    grace[Symbol.dispose]();
    exchange[Symbol.dispose]();
    channels?.abandon(reason);
    left.abort(new LazysshError("BOOT_CANCELLED", reason));
    giveReservedBack();
    closing = deadline(clock, limits.closeMs, () => undefined);
    closing.signal.addEventListener("abort", () => socket.destroy());
    socket.end();
    // What still comes is thrown away; unread, it would turn the close into a reset and lose our last words.
    socket.resume();
  }

  socket.on("data", (chunk: Buffer) => {
    pulse.heard();
    wire.receive(chunk);
    if (ended === undefined) outlet.holdBackReader();
  });
  socket.on("error", (error) => finish(`the connection broke (${error.message})`));
  socket.on("end", () => finish("the client closed the connection"));
  socket.on("close", () => {
    finish("the client closed the connection");
    closing?.[Symbol.dispose]();
    wire.silence();
    const seconds = (clock.now() - since) / 1000;
    const { opened = 0, bytesUp = 0, bytesDown = 0 } = channels ?? {};
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
    options.onClosed();
  });
  events.emit({ type: "connection.open", connection, client });
  wire.start();

  return {
    get authenticated() {
      return identity !== undefined;
    },
    pulse() {
      if (!channels || ended !== undefined) return;
      pulse.beat();
      if (clock.now() - keysSince >= limits.rekeyMs) wire.rekey();
    },
    end,
  };
}
