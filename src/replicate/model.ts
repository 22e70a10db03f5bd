/** A snapshot or a bookmark, as `zfs` tells of it. */
export interface Point {
  /** What stands after the "@", or the "#". */
  readonly name: string;
  /** Decimal; 64 bits, so that a number would not do. The same on both sides, whatever it is called there. */
  readonly guid: string;
  /** The order in which they were made, on one side. */
  readonly createtxg: bigint;
  /** Seconds since the epoch; of the snapshot that a bookmark was made from. */
  readonly creation: number;
}

/** As {@link Dataset.written}: there is something, and nobody can tell how much. Of what is told it is none, since that is in blocks. */
export const SOME_BYTES = 1;

/** A filesystem or a volume of one side, with all of its snapshots. */
export interface Dataset {
  readonly name: string;
  readonly kind: "filesystem" | "volume";
  readonly encrypted: boolean;
  /** In the order of `createtxg`. */
  readonly snapshots: readonly Point[];
  /** In the order of `createtxg`. Empty where bookmarks are not supported. */
  readonly bookmarks: readonly Point[];
  /** `receive_resume_token`: a receive was interrupted, and can go on. */
  readonly resumeToken: ResumeToken | undefined;
  /** Bytes written since the last snapshot; undefined where `zfs` does not tell. */
  readonly written: number | undefined;
}

/** What `zfs send -nvt TOKEN` tells of it. */
export interface ResumeToken {
  readonly token: string;
  /** Of the snapshot that was being sent; undefined when the token could not be read. */
  readonly toGuid: string | undefined;
  readonly toName: string | undefined;
  /** Bytes received. */
  readonly bytes: number | undefined;
}

/** What the `zfs` of one side can do. Each side is asked apart. */
export interface Features {
  /** `send -nP`: how much it would be. */
  readonly estimate: boolean;
  /** `send -c`, `-L`, `-e`: blocks as they are on disk. */
  readonly compressed: boolean;
  readonly largeBlocks: boolean;
  readonly embedded: boolean;
  /** `send -w`. */
  readonly raw: boolean;
  /** `send -t`, `recv -s`, `recv -A`. */
  readonly resume: boolean;
  /** `recv -o`, `recv -x`. */
  readonly receiveProperties: boolean;
  readonly bookmarks: boolean;
  /** `zfs holds`, for looking; hold and release are everywhere. */
  readonly holds: boolean;
  /** The property `written`. */
  readonly written: boolean;
}
