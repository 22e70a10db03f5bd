/** What `replicate` blocks and the flags of `lazyssh replicate` say, resolved: nothing is defaulted again. Durations in milliseconds. */
export interface ReplicateJob {
  /** Letters, digits, ".", "_" and "-", at most 64: part of the names of holds and files. */
  readonly name: string;
  /** The host as it is given to `ssh`: a Host of the ssh config, or a target of the same file. */
  readonly target: string;
  /** `push` (default): the source is here. `pull`: the source is on the target's machine, and what is received is here. */
  readonly direction: "push" | "pull";
  /** Dataset that is sent. */
  readonly source: string;
  /** Dataset that the source is received as; its children are received below it. */
  readonly destination: string;
  readonly recursive: boolean;
  /** Source datasets, or globs of them, that are left out with all that is below them. */
  readonly exclude: readonly string[];
  readonly snapshots: SnapshotFilter;
  readonly ssh: SshSettings;
  /** `zfs` here and on the machine. Default `zfs`: found through PATH. */
  readonly zfs: string;
  readonly remoteZfs: string;
  readonly send: SendSettings;
  /** What is kept on the receiving side. Undefined: everything. */
  readonly keep: Keep | undefined;
  /** argv, run on the machine once it answers, before anything is looked at. */
  readonly before: readonly string[] | undefined;
  /** argv, run on the machine when all is sent and verified. */
  readonly after: readonly string[] | undefined;
  /** For the machine to answer. Default 10 min. */
  readonly bootTimeoutMs: number;
  /** For the whole run, boot included. Default 25 h. */
  readonly timeoutMs: number;
  /** Without a byte moved. Default 10 min. */
  readonly stallTimeoutMs: number;
  /** How old the newest snapshot on the other side may become before a run looks there though nothing is new. */
  readonly maxAgeMs: number | undefined;
  readonly scrubEveryMs: number | undefined;
  readonly report: ReportSettings;
}

/** Globs for names of snapshots, without the dataset. One of `include`, none of `exclude`. Default: all. */
export interface SnapshotFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Beside these, all that the user's ssh config says applies. */
export interface SshSettings {
  /** Default `ssh`: found through PATH. */
  readonly program: string;
  /** `-F`. */
  readonly config: string | undefined;
  readonly user: string | undefined;
  /** `-i`. */
  readonly identity: string | undefined;
  /** `-J`. */
  readonly jump: string | undefined;
  readonly port: number | undefined;
  /** Each as after `-o`. */
  readonly options: readonly string[];
}

export interface SendSettings {
  /** As it is stored on disk (`-w`). Undefined: for encrypted datasets only. */
  readonly raw: boolean | undefined;
  /** On the wire. `auto` (default): the best that both sides have, and none for a raw or compressed stream. */
  readonly compress: "auto" | "zstd" | "lz4" | "none";
  /** Bytes a second, of what goes through the wire. */
  readonly rateLimit: number | undefined;
  /** All snapshots in between (`-I`, default), or only the newest. */
  readonly intermediates: boolean;
}

/** How many are kept of each: the newest of each hour, day, week, month and year that has one. 0: none on that account. */
export interface Keep {
  readonly last: number;
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}

export interface ReportSettings {
  readonly onStart: readonly Hook[];
  readonly onSuccess: readonly Hook[];
  /** Anything but `ok`. */
  readonly onFailure: readonly Hook[];
}

/** Who is told. The JSON report is the body, or the standard input. Headers and URLs may hold secrets. */
export type Hook =
  | {
      readonly kind: "url";
      readonly url: string;
      readonly method: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: "command"; readonly argv: readonly string[] };

/** What a job is that says no more than it must: who makes one from flags begins with this, as the config language does. */
export const DEFAULT_JOB: Omit<ReplicateJob, "name" | "target" | "source" | "destination"> = {
  direction: "push",
  recursive: false,
  exclude: [],
  snapshots: { include: ["*"], exclude: [] },
  ssh: {
    program: "ssh",
    config: undefined,
    user: undefined,
    identity: undefined,
    jump: undefined,
    port: undefined,
    options: [],
  },
  zfs: "zfs",
  remoteZfs: "zfs",
  send: { raw: undefined, compress: "auto", rateLimit: undefined, intermediates: true },
  keep: undefined,
  before: undefined,
  after: undefined,
  bootTimeoutMs: 600_000,
  timeoutMs: 25 * 3_600_000,
  stallTimeoutMs: 600_000,
  maxAgeMs: undefined,
  scrubEveryMs: undefined,
  report: { onStart: [], onSuccess: [], onFailure: [] },
};
