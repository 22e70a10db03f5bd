import type { ServerConfig } from "../config/types.ts";
import { isSignatureAlgorithm } from "./algorithms.ts";
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

export type AuthDecision =
  /** `boot`: the target that is to be ready, with its stages shown, before the login is confirmed. */
  | {
      readonly kind: "accept";
      readonly user: string;
      readonly key: string;
      readonly boot: string | undefined;
    }
  /** The key may log in; it still has to sign. */
  | { readonly kind: "prove"; readonly algorithm: string; readonly blob: Buffer }
  /** The reason is for the log; the client learns only that it failed. */
  | { readonly kind: "reject"; readonly reason: string };

/** The one user name, as it has always been: what it may do is decided by the key. */
const USER = "jump";
/** `ProxyJump boot+%h@lazyssh` brings the name of the target in that of the user. */
const BOOT = "boot+";

/** Who may come in. Pure: the same request and configuration have the same answer. */
export function decide(request: AuthRequest, config: Pick<ServerConfig, "authorizedKey">): AuthDecision {
  const { user, method, key } = request;
  if (method !== "publickey" || !key) return reject(`method "${method}" is not offered`);
  const { algorithm, blob, proof } = key;
  const known = sameKey(blob, config.authorizedKey.blob);
  const boot = user.startsWith(BOOT) ? user.slice(BOOT.length) : undefined;
  if (user !== USER && !boot) {
    return reject(`there is no user "${user}", log in as "${USER}", or as "${BOOT}TARGET"`);
  }
  if (!isSignatureAlgorithm(algorithm)) return reject(`signature algorithm "${algorithm}" is not accepted`);
  if (typeOfBlob(blob) !== keyTypeOf(algorithm)) return reject(`the key is not one for "${algorithm}"`);
  if (!known) return reject(`key ${fingerprint(blob)} is not authorized`);
  if (!proof) return { kind: "prove", algorithm, blob };
  if (!isSignedBy(algorithm, blob, proof.signature, proof.signed)) {
    return reject(`the signature by key ${fingerprint(blob)} is wrong`);
  }
  return { kind: "accept", user, key: fingerprint(blob), boot };
}

function reject(reason: string): AuthDecision {
  return { kind: "reject", reason };
}
