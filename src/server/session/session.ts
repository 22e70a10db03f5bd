import type { Channel, ChannelHost, ClientSide } from "../channel.ts";
import { MSG, message, ProtocolError } from "../protocol.ts";
import { printable } from "../refusal.ts";
import { createReceiveWindow, PACKET } from "../window.ts";
import { createOutput } from "./output.ts";
import { readRequest, type SessionRequest } from "./request.ts";

/** What a program of a session has of it. */
export interface SessionIo {
  /** Lines, without the end of the last. */
  readonly out: (lines: string) => void;
  readonly err: (lines: string) => void;
  /** Aborts when the client has left, or has interrupted the program. */
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  readonly id: number;
  readonly client: ClientSide;
  /** Bytes the client may send; they are thrown away. */
  readonly window: number;
  readonly host: ChannelHost;
  /** The only command that is run, whatever is asked for. */
  readonly forced: string | undefined;
  /**
   * Runs a command, or what there is instead of a shell, and resolves with the exit status.
   *
   * @param command As the client, or the forced command, has it; undefined: a shell was asked for.
   */
  readonly run: (command: string | undefined, io: SessionIo) => Promise<number>;
  /** It is over; CLOSE was sent if the client is still there. */
  readonly onEnd: (end: SessionEnd) => void;
}

interface SessionEnd {
  readonly command: string | undefined;
  /** Undefined when the client left before. */
  readonly status: number | undefined;
}

const CTRL_C = 3;

/** Confirms a session to the client (RFC 4254 §6), and waits for what it asks for: one thing, once. */
export function openSession(options: SessionOptions): Channel {
  const { id, client, window, host, forced, onEnd } = options;
  const { wire } = host;
  const receive = createReceiveWindow(window);
  const interrupted = new AbortController();
  let pty = false;
  let running = false;
  let command: string | undefined;
  let status: number | undefined;
  let clientEof = false;
  let ended = false;
  const output = createOutput({ client, host, channel: () => channel, raw: () => pty });

  const end = (tellClient: boolean): void => {
    if (ended) return;
    ended = true;
    output.drop();
    interrupted.abort("the client has left");
    if (tellClient) wire.send(message(MSG.CHANNEL_CLOSE, client.id));
    onEnd({ command, status });
  };

  /** RFC 4254 §6.10, and then §5.3. */
  const exit = (code: number): void => {
    if (ended) return;
    output.finish(() => {
      status = code;
      wire.send(message(MSG.CHANNEL_REQUEST, client.id, "exit-status", false, code));
      wire.send(message(MSG.CHANNEL_EOF, client.id));
      end(true);
    });
  };

  const say = (to: "out" | "err") => (lines: string) => {
    if (!ended) output.say(to, lines);
  };
  const io: SessionIo = { out: say("out"), err: say("err"), signal: interrupted.signal };

  const start = (wanted: string | undefined): void => {
    running = true;
    command = forced ?? wanted;
    options.run(command, io).then(exit, () => exit(1));
  };

  /** By way of a program, because the failure of a request has no text. */
  const refuse = (subsystem: string): void => {
    running = true;
    command = `subsystem ${subsystem}`;
    io.err(
      `lazyssh: this is a jump host, it has no subsystem "${printable(subsystem)}": use ssh -J lazyssh TARGET`,
    );
    exit(1);
  };

  /** Whether it is granted; what follows from it comes after the answer. */
  const grant = (request: SessionRequest): boolean => {
    switch (request.kind) {
      case "pty":
        if (pty || running) return false;
        pty = true;
        return true;
      case "env":
      case "signal":
      case "window":
        return true;
      case "shell":
      case "exec":
      case "subsystem":
        return !running;
      case "other":
        return false;
    }
  };

  const follow = (request: SessionRequest): void => {
    switch (request.kind) {
      case "shell":
        start(undefined);
        break;
      case "exec":
        start(request.command);
        break;
      case "subsystem":
        if (forced === undefined) refuse(request.name);
        else start(undefined);
        break;
      case "signal":
        interrupted.abort(`interrupted by ${request.name}`);
        break;
      default:
        break;
    }
  };
  const spend = (length: number): void => {
    receive.spend(length);
    if (clientEof) throw new ProtocolError("the client sent data after the end of its data");
    const more = receive.taken(length);
    if (more > 0) wire.send(message(MSG.CHANNEL_WINDOW_ADJUST, client.id, more));
  };

  const channel: Channel = {
    data(data) {
      if (ended) return;
      spend(data.length);
      // A terminal in raw mode leaves it to us.
      if (pty && data.includes(CTRL_C)) interrupted.abort("interrupted by Ctrl-C");
    },
    flush: () => undefined,
    extendedData(length) {
      if (!ended) spend(length);
    },
    eof() {
      clientEof = true;
    },
    request(name, wantsReply, fields) {
      const request = readRequest(name, fields);
      if (ended) return;
      const granted = grant(request);
      if (wantsReply) wire.send(message(granted ? MSG.CHANNEL_SUCCESS : MSG.CHANNEL_FAILURE, client.id));
      if (granted) follow(request);
    },
    adjust(bytes) {
      if (!ended) output.widen(bytes);
    },
    resume() {
      if (!ended) output.resume();
    },
    clientClosed: () => end(true),
    abandon: () => end(false),
  };

  wire.send(message(MSG.CHANNEL_OPEN_CONFIRMATION, client.id, id, window, PACKET));
  return channel;
}
