import type { PublicKey } from "./types.ts";

/** Who may come in, and how far: `server { user "<name>" { … } }`, and the one user of `authorized_key`. */
export interface UserConfig {
  /** Unique. The one of `authorized_key` is called `jump`. */
  readonly name: string;
  /** Of `authorized_keys`, `authorized_keys_file` and `trusted_user_ca_keys`, in this order. */
  readonly keys: readonly AuthorizedKey[];
  /** Names of targets; `*` and `?` stand for any characters. Undefined: all. */
  readonly targets: readonly string[] | undefined;
  /** What the user may have done by `ssh lazyssh COMMAND`. Default: all. */
  readonly commands: readonly UserCommand[];
  /** How many machines may exist at once that this user has leases of. Undefined: any number. */
  readonly maxMachines: number | undefined;
}

export const USER_COMMANDS = ["status", "start", "stop"] as const;
export type UserCommand = (typeof USER_COMMANDS)[number];

/** One line of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT), of which every option is understood. */
export interface AuthorizedKey {
  readonly key: PublicKey;
  /** Where it is written, for the log: `authorized_key`, `authorized_keys item 2`, or `FILE line N`. */
  readonly source: string;
  /** `cert-authority`, and every one of `trusted_user_ca_keys`: it does not log in itself, but signs the keys of those who do. */
  readonly certAuthority: boolean;
  /** `principals`: one of them must be in the certificate. Undefined: the name of the user must be. */
  readonly principals: readonly string[] | undefined;
  /** `from`: addresses in CIDR notation, or patterns with `*` and `?`; with `!` in front, not from there. Undefined: from anywhere. */
  readonly from: readonly string[] | undefined;
  /** `expiry-time`, milliseconds since the epoch. Undefined: never. */
  readonly expiresAt: number | undefined;
  /** False with `restrict` or `no-port-forwarding`, unless `port-forwarding` comes after. */
  readonly forwarding: boolean;
  /** `permitopen`. Undefined: whatever the user may reach. */
  readonly permitOpen: readonly PermitOpen[] | undefined;
  /** `command`: the only one that may be run, whatever is asked for. Undefined: those of the user. */
  readonly command: string | undefined;
  /** False with `no-touch-required`: a security key need not have been touched. */
  readonly touchRequired: boolean;
  /** `verify-required`: a security key must have verified its user, by PIN or finger. */
  readonly verifyRequired: boolean;
}

export interface PermitOpen {
  /** Name of a target, as the client writes it; `*` alone is any. */
  readonly host: string;
  /** Undefined: any (`*`). */
  readonly port: number | undefined;
}

/** What is revoked, of `revoked_keys_file`. */
export interface Revocations {
  /**
   * Fingerprints (`SHA256:…`, as `ssh-keygen -l` prints them) of keys, of keys in certificates, and of authorities; `SHA1:…`, in the
   * same form, where a list gives no other. Who looks a key up has to look for both.
   */
  readonly keys: ReadonlySet<string>;
  /** Certificates by their serial number, both ends included; `authority` is the fingerprint of who signed it, undefined: whoever did. */
  readonly serials: readonly {
    readonly authority: string | undefined;
    readonly from: bigint;
    readonly to: bigint;
  }[];
  /** Certificates by their key id. */
  readonly ids: readonly { readonly authority: string | undefined; readonly id: string }[];
}

/** A key that the server proves itself with. */
export interface HostKeyConfig {
  /** Private key in PEM or OpenSSH format. Sensitive: never logged, never rendered. */
  readonly key: string;
  /** A host certificate of this very key (type `…-cert-v01@openssh.com`). */
  readonly certificate: PublicKey | undefined;
}

/** What one client may cost, and how long it may take: `server { limits { … } }`. Durations in milliseconds. */
export interface LimitsConfig {
  /** From the TCP connection to an accepted login. Default 30 s. */
  readonly loginGraceMs: number;
  /** Login requests that may fail. Default 6. */
  readonly authTries: number;
  /**
   * Connections that have not logged in, as sshd's MaxStartups: from `begin` on some are dropped, `rate` percent of them first, all at `full`.
   * Default `50:30:200`.
   */
  readonly startups: { readonly begin: number; readonly rate: number; readonly full: number };
  /** Connections that have logged in. Default 1000. */
  readonly connections: number;
  /** Channels of one connection. Default 256. */
  readonly channels: number;
  /** How long a client may give no sign of life before its machines are given back. Default 60 s. */
  readonly clientTimeoutMs: number;
  /** Bytes in either direction after which keys are exchanged anew. Default 1 GiB. */
  readonly rekeyBytes: number;
  /** How long keys are used. Default 1 h. */
  readonly rekeyMs: number;
}

export const DEFAULT_LIMITS_CONFIG: LimitsConfig = {
  loginGraceMs: 30_000,
  authTries: 6,
  startups: { begin: 50, rate: 30, full: 200 },
  connections: 1_000,
  channels: 256,
  clientTimeoutMs: 60_000,
  rekeyBytes: 1024 * 1024 * 1024,
  rekeyMs: 3_600_000,
};
