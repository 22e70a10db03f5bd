import type { TypedFlagParameter } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type Assignment, varFlag } from "./flags.ts";

/** Without a default: what is meant depends on whether there is a config.hcl. */
export const jobsFileFlag = {
  kind: "parsed",
  parse: String,
  brief: "The file with the jobs (default: config.hcl in the current folder)",
  placeholder: "FILE",
  optional: true,
} as const satisfies TypedFlagParameter<string | undefined, CliContext>;

export const replicateStateFlag = {
  kind: "parsed",
  parse: String,
  brief:
    "Folder for locks, history and what was verified (default: $STATE_DIRECTORY, or lazyssh in $XDG_STATE_HOME)",
  placeholder: "DIR",
  optional: true,
} as const satisfies TypedFlagParameter<string | undefined, CliContext>;

const text = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, brief, placeholder, optional: true }) as const;
const texts = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, brief, placeholder, optional: true, variadic: true }) as const;
const yes = (brief: string) => ({ kind: "boolean", brief, optional: true, withNegated: false }) as const;
const either = (brief: string) => ({ kind: "boolean", brief, optional: true }) as const;

/** Where the jobs are, and how their machines are reached. */
export const reachFlags = {
  config: jobsFileFlag,
  var: varFlag,
  stateDir: replicateStateFlag,
  ssh: text("The ssh that is run (default: ssh, found through PATH)", "PATH"),
  sshConfig: text("ssh -F: its configuration file", "FILE"),
  identity: text("ssh -i: file of the private key", "FILE"),
  option: texts("ssh -o: an option; may be repeated", "OPTION"),
  jump: text("ssh -J: the jump host", "HOST"),
  port: text("ssh -p: port of the machine", "PORT"),
  login: text("ssh -l: who logs in", "USER"),
  zfs: text("zfs of this machine (default: zfs, found through PATH)", "PATH"),
  remoteZfs: text("zfs of the other machine", "PATH"),
  bootTimeout: text("How long the machine may take to answer (default: 10m)", "TIME"),
} as const;

/** As ssh has them. */
export const reachAliases = {
  c: "config",
  F: "sshConfig",
  i: "identity",
  o: "option",
  J: "jump",
  p: "port",
  l: "login",
} as const;

export interface ReachFlags {
  readonly config?: string;
  readonly var?: readonly Assignment[];
  readonly stateDir?: string;
  readonly ssh?: string;
  readonly sshConfig?: string;
  readonly identity?: string;
  readonly option?: readonly string[];
  readonly jump?: string;
  readonly port?: string;
  readonly login?: string;
  readonly zfs?: string;
  readonly remoteZfs?: string;
  readonly bootTimeout?: string;
}

/** What is sent, and how. */
export const sendFlags = {
  recursive: either("With all datasets below the source"),
  exclude: texts("Dataset below the source, or a pattern, that is left out; may be repeated", "DATASET"),
  snapshots: texts("Pattern of names of snapshots that are sent; may be repeated", "GLOB"),
  skipSnapshots: texts("Pattern of names of those that are not; may be repeated", "GLOB"),
  raw: either("As it is stored on disk; default: encrypted datasets only"),
  compress: text("How the stream is compressed on its way: auto, zstd, lz4 or none", "HOW"),
  rateLimit: text("Bytes a second at most, such as 20MiB", "SIZE"),
  intermediates: either("All snapshots since the last run (default), or only the newest"),
  keep: text("What is kept on the receiving side, such as last=4,daily=7, or: all", "COUNTS"),
  before: text("Command for the machine once it answers, as a JSON list", "JSON"),
  after: text("Command for the machine when all is verified, as a JSON list", "JSON"),
  timeout: text("How long the run may take, boot included (default: 25h)", "TIME"),
  stallTimeout: text("How long no byte may move (default: 10m)", "TIME"),
  maxAge: text("How old the newest snapshot over there may be before it is looked at", "TIME"),
  scrubEvery: text("How often the pool over there is scrubbed", "TIME"),
} as const;

export interface SendFlags {
  readonly recursive?: boolean;
  readonly exclude?: readonly string[];
  readonly snapshots?: readonly string[];
  readonly skipSnapshots?: readonly string[];
  readonly raw?: boolean;
  readonly compress?: string;
  readonly rateLimit?: string;
  readonly intermediates?: boolean;
  readonly keep?: string;
  readonly before?: string;
  readonly after?: string;
  readonly timeout?: string;
  readonly stallTimeout?: string;
  readonly maxAge?: string;
  readonly scrubEvery?: string;
}

export const jsonFlag = (brief: string) =>
  ({ kind: "boolean", brief, default: false, withNegated: false }) as const;
export const allFlag = yes("All jobs of the file");
export const textFlag = text;
