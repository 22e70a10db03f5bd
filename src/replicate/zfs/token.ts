import type { ResumeToken } from "../model.ts";
import type { Side } from "../side.ts";

/**
 * What a resume token holds. Its contents are printed even where the snapshot is not, so that either side can be asked; of a token that
 * cannot be read nothing but itself is known.
 */
export async function readToken(
  side: Side,
  zfs: string,
  token: string,
  signal: AbortSignal,
): Promise<ResumeToken> {
  const { stdout, stderr } = await side.run([zfs, "send", "-nvt", token], { signal });
  // Older ones print it as an error.
  return parseToken(token, `${stdout}\n${stderr}`);
}

/** From what `zfs send -nvt TOKEN` has printed. */
export function parseToken(token: string, text: string): ResumeToken {
  const field = (name: string) => new RegExp(`^\\s+${name} = (.+)$`, "m").exec(text)?.[1];
  const guid = field("toguid");
  const bytes = field("bytes");
  return {
    token,
    toGuid: isNumber(guid) ? BigInt(guid).toString() : undefined,
    toName: field("toname"),
    bytes: isNumber(bytes) ? Number(bytes) : undefined,
  };
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^(?:0x[0-9a-f]+|\d+)$/.test(text);
}
