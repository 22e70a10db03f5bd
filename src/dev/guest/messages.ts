import type { Fate } from "../cloud/state.ts";

/** What a guest needs to know to become a machine. */
export interface GuestConfig {
  readonly instanceId: string;
  /** Loopback address and port of its SSH server. */
  readonly address: string;
  readonly port: number;
  /** The folder that is $HOME, and where sessions start. */
  readonly home: string;
  /** Private key in OpenSSH or PEM format. */
  readonly hostKey: string;
  /** authorized_keys lines; each may log in under any user name. */
  readonly authorizedKeys: readonly string[];
  /** Path of a program that is run when it boots. */
  readonly boot: string | undefined;
  readonly fate: Fate["kind"];
}

export type ToGuest =
  | { readonly type: "configure"; readonly config: GuestConfig }
  /** The moment its port is due to answer. */
  | { readonly type: "open" }
  /** Its port stops listening, or listens again; connections that are there go on. */
  | { readonly type: "close-port" }
  | { readonly type: "open-port" }
  /** The ACPI button: sessions get SIGTERM, after the grace SIGKILL, then the process ends. */
  | { readonly type: "shutdown"; readonly graceMs: number };

export type FromGuest =
  | { readonly type: "listening" }
  | { readonly type: "port-closed" }
  /** What was asked of the port is done, as far as it can be. */
  | { readonly type: "done" }
  /** A process group that sessions run in has come or gone: whoever outlives the guest can end it. */
  | { readonly type: "group"; readonly pid: number; readonly alive: boolean };
