import type { AuthOutcome } from "../observe/events.ts";
import type { Credential } from "./auth/credential.ts";
import { type AuthContext, type AuthRequest, decide, type OfferedKey } from "./auth.ts";
import { type Identity, whoIs } from "./identity.ts";
import { apart, DISCONNECT, MSG, message, ProtocolError, Reader } from "./protocol.ts";
import { printable } from "./refusal.ts";
import type { Wire } from "./wire.ts";

export interface LoginOptions {
  readonly wire: Wire;
  /** Asked at each request, so that a reload counts. */
  readonly context: () => AuthContext;
  /** Requests that may fail before the connection is ended. */
  readonly tries: number;
  readonly onOutcome: (outcome: AuthOutcome) => void;
  /** The key has proved itself. */
  readonly onVerified: (identity: Identity, shown: Credential) => void;
  /**
   * Resolves with true when the target is ready, and with false when the client has been disconnected because it will not be. `say` shows
   * a line to the person who waits.
   */
  readonly boot: (target: string, say: (line: string) => void) => Promise<boolean>;
  /** The login is confirmed: channels may be opened. */
  readonly onEnter: () => void;
}

/** The reason of a refusal in the log names what strangers have sent. */
const LONGEST_REASON = 1024;

/** One client's way from the first key exchange to an accepted login (RFC 4252). */
export interface Login {
  /** @throws ProtocolError when the client may not go on. */
  message(payload: Buffer): void;
}

export function createLogin({
  wire,
  context,
  tries,
  onOutcome,
  onVerified,
  boot,
  onEnter,
}: LoginOptions): Login {
  let serviceAccepted = false;
  /** Keys that would do, and were asked to sign: a token may be elsewhere, and another key be tried. */
  let asked = 0;
  let failures = 0;
  /** The key has proved itself, and its answer waits for a machine. */
  let holding = false;

  const fail = (request: AuthRequest, reason: string): void => {
    // Every client begins with `none` to learn the methods; that is no attempt worth a line.
    if (request.method !== "none") {
      onOutcome({
        accepted: false,
        login: printable(request.user),
        reason: printable(reason, LONGEST_REASON),
      });
    }
    failures += 1;
    if (failures >= tries) {
      throw new ProtocolError(
        "too many authentication failures: name the one key to use with IdentityFile and IdentitiesOnly=yes",
        DISCONNECT.NO_MORE_AUTH_METHODS,
      );
    }
    wire.send(message(MSG.USERAUTH_FAILURE, "publickey", false));
  };

  const answer = (request: AuthRequest): void => {
    const decision = decide(request, context());
    switch (decision.kind) {
      case "accept":
        holding = true;
        onOutcome({ accepted: true, login: printable(request.user), ...whoIs(decision.identity) });
        onVerified(decision.identity, decision.shown);
        void enter(decision.boot);
        break;
      case "prove":
        if (asked >= tries) {
          fail(request, "the client asks about its keys again and again");
        } else {
          asked += 1;
          wire.send(message(MSG.USERAUTH_PK_OK, decision.algorithm, decision.blob));
        }
        break;
      case "reject":
        fail(request, decision.reason);
        break;
      default:
        decision satisfies never;
    }
  };

  const enter = async (target: string | undefined): Promise<void> => {
    // RFC 4252 §5.4: the client shows a banner at once, and there may be any number of them.
    const say = (line: string) => wire.send(message(MSG.USERAUTH_BANNER, `${line}\r\n`, ""));
    if (target !== undefined && !(await boot(target, say))) return;
    wire.send(message(MSG.USERAUTH_SUCCESS));
    onEnter();
  };

  return {
    message(payload) {
      const fields = new Reader(payload, 1);
      switch (payload[0] ?? 0) {
        case MSG.SERVICE_REQUEST: {
          const service = fields.text();
          if (service !== "ssh-userauth") {
            throw new ProtocolError(
              `service "${printable(service)}" is not available`,
              DISCONNECT.SERVICE_NOT_AVAILABLE,
            );
          }
          serviceAccepted = true;
          return wire.send(message(MSG.SERVICE_ACCEPT, service));
        }
        case MSG.USERAUTH_REQUEST:
          if (!serviceAccepted) throw new ProtocolError("a login was tried before its service was asked for");
          if (holding) throw new ProtocolError("a login was tried while another is under way");
          return answer(readRequest(payload, fields, wire.sessionId()));
        default:
          throw new ProtocolError("only a login is possible before the login");
      }
    },
  };
}

function readRequest(payload: Buffer, fields: Reader, sessionId: Buffer): AuthRequest {
  const user = fields.text();
  const service = fields.text();
  const method = fields.text();
  if (service !== "ssh-connection") {
    throw new ProtocolError(
      `service "${printable(service)}" is not available`,
      DISCONNECT.SERVICE_NOT_AVAILABLE,
    );
  }
  return method === "publickey"
    ? { user, method, key: readKey(payload, fields, sessionId) }
    : { user, method };
}

function readKey(payload: Buffer, fields: Reader, sessionId: Buffer): OfferedKey {
  const signs = fields.boolean();
  const algorithm = fields.text();
  // Copied, because the decision outlives the message.
  const blob = apart(fields.string());
  if (!signs) return { algorithm, blob };
  // RFC 4252 §7: the session id as a string, then the request up to the signature.
  const request = payload.subarray(0, fields.position);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(sessionId.length);
  const signed = Buffer.concat([length, sessionId, request]);
  return { algorithm, blob, proof: { signature: Buffer.from(fields.string()), signed } };
}
