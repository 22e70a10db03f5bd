import type { SendSettings } from "../../config/replicate.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Side } from "../side.ts";
import { connectionFailed, lostError } from "../ssh/failure.ts";

/** What makes a stream smaller on the wire. */
export interface Compression {
  readonly name: "zstd" | "lz4";
  readonly compress: readonly string[];
  readonly decompress: readonly string[];
}

/** Best first. Both check what they unpack (xxHash), and fail on half a frame. */
const COMPRESSIONS: readonly Compression[] = [
  // Level 3 on all cores is faster than the links that replication goes over; higher ones cost the source its own work.
  { name: "zstd", compress: ["zstd", "-q", "-3", "-T0", "-c"], decompress: ["zstd", "-q", "-d", "-c"] },
  { name: "lz4", compress: ["lz4", "-q", "-1", "-c"], decompress: ["lz4", "-q", "-d", "-c"] },
];

/**
 * In front of `zfs recv`, which stops reading for seconds while it writes a transaction group: meanwhile it takes what
 * comes, up to 64 MiB.
 */
export const MBUFFER: readonly string[] = ["mbuffer", "-q", "-m", "64M"];

/** The programs that matter to {@link chooseCompression} and for {@link MBUFFER}. */
export const TRANSFER_PROGRAMS: readonly string[] = ["zstd", "lz4", "mbuffer"];

export interface CompressionQuestion {
  readonly want: SendSettings["compress"];
  /** Which of {@link TRANSFER_PROGRAMS} the sending side has, and the receiving one. */
  readonly source: readonly string[];
  readonly target: readonly string[];
  /** As the blocks are on disk, encrypted or compressed, or such that they cannot be compressed: nothing is won. */
  readonly stream: { readonly raw: boolean; readonly compressed: boolean; readonly packed: boolean };
}

/** Undefined: none. Throws `NOT_SUPPORTED` when one that was asked for by name is missing on a side. */
export function chooseCompression({
  want,
  source,
  target,
  stream,
}: CompressionQuestion): Compression | undefined {
  if (want === "none") return undefined;
  if (want === "auto") {
    if (stream.raw || stream.compressed || stream.packed) return undefined;
    return COMPRESSIONS.find(({ name }) => source.includes(name) && target.includes(name));
  }
  const sides = [
    { name: "sending", programs: source },
    { name: "receiving", programs: target },
  ];
  const without = sides.filter(({ programs }) => !programs.includes(want)).map(({ name }) => name);
  if (without.length > 0) {
    throw new LazysshError(
      "NOT_SUPPORTED",
      `cannot compress with ${want}: it is not on the PATH of the ${without.join(" and the ")} side; ` +
        `install ${want} there, or set compress to "auto" or "none"`,
    );
  }
  return COMPRESSIONS.find(({ name }) => name === want);
}

const WHICH = `for name in "$@"; do if command -v "$name" >/dev/null 2>&1; then printf '%s\\n' "$name"; fi; done`;

/** Those of the programs that a side has, in one round trip. Rejects with `NOT_SUPPORTED` when it cannot be asked, or with an `SshError`. */
export async function programsOf(
  side: Side,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ran = await side.run(["sh", "-c", WHICH, "sh", ...names], { signal });
  const { status, signal: endedBy, stdout, stderr } = ran;
  if (side.remote && connectionFailed(ran)) throw lostError(side.name, stderr);
  if (status !== 0) {
    throw new LazysshError(
      "NOT_SUPPORTED",
      `cannot ask ${side.name} which of ${names.join(", ")} it has: sh ` +
        `${endedBy ? `was ended by ${endedBy}` : `exited with status ${status}`}: ${stderr.trim() || "it said nothing"}`,
    );
  }
  const found = new Set(stdout.split(/\r?\n/));
  return names.filter((name) => found.has(name));
}
