import type { Revocations, UserConfig } from "../config/access.ts";
import { isSignatureAlgorithm } from "./algorithms.ts";
import type { Identity } from "./identity.ts";
import { fingerprint, isSignedBy, keyTypeOf, sameKey, typeOfBlob } from "./public-key.ts";

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
  | { readonly kind: "accept"; readonly identity: Identity; readonly boot: string | undefined }
  /** The key may log in; it still has to sign. */
  | { readonly kind: "prove"; readonly algorithm: string; readonly blob: Buffer }
  /** The reason is for the log; the client learns only that it failed. */
  | { readonly kind: "reject"; readonly reason: string };

/** The login name that everybody has: who somebody is, is decided by the key. The name of a user is one too, for that user. */
const JUMP = "jump";
/** `ProxyJump boot+%h@lazyssh` brings the name of the target in that of the user. */
const BOOT = "boot+";

/** Who may come in. Pure: the same request and context have the same answer. */
export function decide(request: AuthRequest, { users }: AuthContext): AuthDecision {
  const { user, method, key } = request;
  if (method !== "publickey" || !key) return reject(`method "${method}" is not offered`);
  const { algorithm, blob, proof } = key;
  const boot = user.startsWith(BOOT) ? user.slice(BOOT.length) : undefined;
  const known = users.find(
    ({ name, keys }) =>
      (user === JUMP || user === name || boot) && keys.some((one) => sameKey(blob, one.key.blob)),
  );
  if (user !== JUMP && !boot && !users.some(({ name }) => name === user)) {
    return reject(`there is no user "${user}", log in as "${JUMP}", or as "${BOOT}TARGET"`);
  }
  if (!isSignatureAlgorithm(algorithm)) return reject(`signature algorithm "${algorithm}" is not accepted`);
  if (typeOfBlob(blob) !== keyTypeOf(algorithm)) return reject(`the key is not one for "${algorithm}"`);
  if (!known) return reject(`key ${fingerprint(blob)} is not authorized`);
  if (!proof) return { kind: "prove", algorithm, blob };
  if (!isSignedBy(algorithm, blob, proof.signature, proof.signed)) {
    return reject(`the signature by key ${fingerprint(blob)} is wrong`);
  }
  const { name, targets, commands, maxMachines } = known;
  const permissions = {
    forwarding: true,
    targets,
    permitOpen: undefined,
    commands,
    command: undefined,
    maxMachines,
  };
  return {
    kind: "accept",
    identity: { user: name, key: fingerprint(blob), certificate: undefined, permissions },
    boot,
  };
}

function reject(reason: string): AuthDecision {
  return { kind: "reject", reason };
}
