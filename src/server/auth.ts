import type { Revocations, UserConfig } from "../config/access.ts";
import { type Credential, readCredential, revocationOf } from "./auth/credential.ts";
import { findGrant, type Grant, missingAttendance, nameOf } from "./auth/grant.ts";
import { verifySignature } from "./auth/signature.ts";
import type { Identity } from "./identity.ts";
import { fingerprint } from "./public-key.ts";
import { printable } from "./refusal.ts";

/** One SSH_MSG_USERAUTH_REQUEST for the service `ssh-connection` (RFC 4252 §5). */
export interface AuthRequest {
  readonly user: string;
  readonly method: string;
  /** Present with method `publickey`. */
  readonly key?: OfferedKey;
}

export interface OfferedKey {
  /** As the client wrote it, for example `rsa-sha2-512`. */
  readonly algorithm: string;
  readonly blob: Buffer;
  /** Absent when the client only asks whether the key would do (RFC 4252 §7). */
  readonly proof?: { readonly signature: Buffer; readonly signed: Buffer };
}

/** What a decision depends on besides the request. */
export interface AuthContext {
  readonly users: readonly UserConfig[];
  readonly revoked: Revocations;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** IP address of the client, without port or brackets; IPv4 in its own notation. */
  readonly address: string;
}

export type AuthDecision =
  /** `boot`: the target that is to be ready, with its stages shown, before the login is confirmed. */
  | {
      readonly kind: "accept";
      readonly identity: Identity;
      readonly shown: Credential;
      readonly boot: string | undefined;
    }
  /** The key may log in; it still has to sign. */
  | { readonly kind: "prove"; readonly algorithm: string; readonly blob: Buffer }
  /** The reason is for the log; the client learns only that it failed. */
  | { readonly kind: "reject"; readonly reason: string };

/** The login name that everybody has: who somebody is, is decided by the key. The name of a user is one too, for that user. */
const JUMP = "jump";
/** `ProxyJump boot+%h@lazyssh` brings the name of the target in that of the user. */
const BOOT = "boot+";

/**
 * Who may come in. Pure: the same request and context have the same answer.
 *
 * A client learns from an answer only whether its key would do, or does. That takes the same steps for every login name and ends in the same
 * message whatever the reason (see {@link findGrant}); the client's signature is checked only when its key would do.
 */
export function decide(request: AuthRequest, context: AuthContext): AuthDecision {
  const { user, method, key } = request;
  if (method !== "publickey" || !key) return reject(`method "${method}" is not offered`);
  const { algorithm, blob, proof } = key;
  const { boot, isFor } = readLogin(user);
  const shown = readCredential(algorithm, blob);
  if ("problem" in shown) return reject(shown.problem);
  const { users, revoked, now, address } = context;
  const grant = findGrant(shown, { users, isFor, now, address });
  const revocation = revocationOf(shown, revoked);
  if (!users.some(({ name }) => isFor(name))) {
    return reject(`there is no user "${user}", log in as "${JUMP}", or as "${BOOT}TARGET"`);
  }
  if (revocation !== undefined) return reject(revocation);
  if ("problem" in grant) return reject(grant.problem);
  if (!proof) return { kind: "prove", algorithm, blob };
  const verified = verifySignature(shown.algorithm, grant.key, proof.signature, proof.signed);
  if (!verified) return reject(`the signature by ${nameOf(shown)} is wrong`);
  const missing = missingAttendance(grant, verified.token);
  if (missing !== undefined) return reject(`${nameOf(shown)} does not suffice: ${missing}`);
  return { kind: "accept", identity: identityOf(shown, grant), shown, boot };
}

/** For whom a login name is. */
function readLogin(login: string): { boot: string | undefined; isFor: (user: string) => boolean } {
  const boot = login.startsWith(BOOT) && login !== BOOT ? login.slice(BOOT.length) : undefined;
  return { boot, isFor: (user) => boot !== undefined || login === JUMP || login === user };
}

function identityOf({ key, certificate }: Credential, { user, permissions }: Grant): Identity {
  return {
    user,
    key: fingerprint(key),
    certificate: certificate && {
      id: printable(certificate.id),
      serial: String(certificate.serial),
      authority: fingerprint(certificate.authority),
    },
    permissions,
  };
}

function reject(reason: string): AuthDecision {
  return { kind: "reject", reason };
}
