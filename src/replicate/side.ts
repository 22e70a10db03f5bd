/** Where commands are run: here, or on the machine through the user's ssh. */
export interface Side {
  /** For people: "here", or the host. */
  readonly name: string;
  readonly remote: boolean;
  /** The same as a command of this system: itself, or `ssh … -- 'zfs' 'recv' …`, each word quoted for a POSIX shell. */
  command(argv: readonly string[]): readonly string[];
  /** Runs it to its end. Only rejects when the signal aborts (with its reason), or when it cannot be started. */
  run(argv: readonly string[], options: RunOptions): Promise<Ran>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly input?: string | Uint8Array;
  /** In a session of its own: for what may leave something in the background that prints, which is what a user has written. Default: false. */
  readonly apart?: boolean;
}

export interface Ran {
  /** Exit status; undefined when a signal ended it. */
  readonly status: number | undefined;
  /** Name of the signal that ended it. */
  readonly signal: NodeJS.Signals | undefined;
  /** At most 64 MiB. */
  readonly stdout: string;
  /** Its last 64 KiB. */
  readonly stderr: string;
}
