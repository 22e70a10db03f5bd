import {
  type AuthorizedKey,
  DEFAULT_LIMITS_CONFIG,
  USER_COMMANDS,
  type UserConfig,
} from "../../src/config/access.ts";
import type { PublicKey, ServerConfig } from "../../src/config/types.ts";
import type { KeyFiles } from "./ssh.ts";

/** A server on a loopback port of the system's choice, as a file with these two keys would make it. */
export function serverConfig(
  hostKey: Pick<KeyFiles, "privateKey">,
  clientKey: Pick<KeyFiles, "type" | "blob">,
  others: Partial<ServerConfig> = {},
): ServerConfig {
  return {
    listen: { host: "127.0.0.1", port: 0 },
    hostKeys: [{ key: hostKey.privateKey, certificate: undefined }],
    users: [userConfig("jump", [authorizedKey(clientKey)])],
    revoked: { keys: new Set(), serials: [], ids: [] },
    limits: DEFAULT_LIMITS_CONFIG,
    drainMs: 0,
    stateDir: undefined,
    group: undefined,
    maxMachines: undefined,
    metrics: undefined,
    workers: 0,
    ...others,
  };
}

/** A user who may do everything with these keys. */
export function userConfig(
  name: string,
  keys: readonly AuthorizedKey[],
  others: Partial<UserConfig> = {},
): UserConfig {
  return { name, keys, targets: undefined, commands: USER_COMMANDS, maxMachines: undefined, ...others };
}

/** A key without options, except those given. */
export function authorizedKey(
  { type, blob }: Pick<PublicKey, "type" | "blob">,
  options: Partial<AuthorizedKey> = {},
): AuthorizedKey {
  return {
    key: { type, blob, comment: "" },
    source: "authorized_keys",
    certAuthority: false,
    principals: undefined,
    from: undefined,
    expiresAt: undefined,
    forwarding: true,
    permitOpen: undefined,
    command: undefined,
    touchRequired: true,
    verifyRequired: false,
    ...options,
  };
}
