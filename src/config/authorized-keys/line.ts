import { KEY_TYPE, type KeyRead, readPublicKey } from "../ssh-key/public-key.ts";

export interface SplitLine {
  /** What stands before the key, "" when it is alone. */
  readonly options: string;
  readonly key: KeyRead;
}

/**
 * Takes a line apart as sshd does: the options end at the first white space outside of quotes, and `\"` is a quote within. A line
 * that begins with the type of a key has none.
 */
export function splitLine(line: string): SplitLine | { readonly problem: string } {
  const text = line.trim();
  const end = KEY_TYPE.test(/^[^ \t]*/.exec(text)?.[0] ?? "") ? 0 : endOfOptions(text);
  if (end === undefined) return { problem: "A quote of its options is not closed." };
  const options = text.slice(0, end);
  const [, type = "", encoded = "", comment = ""] =
    /^([^ \t]+)[ \t]+([^ \t]+)(?:[ \t]+(.*))?$/s.exec(text.slice(end).trimStart()) ?? [];
  // Nothing of the line is quoted: it may be a piece of anything, of a private key too.
  if (!KEY_TYPE.test(type))
    return { problem: 'There is no public key in it: one is written as "ssh-ed25519 AAAA… comment".' };
  return { options, key: readPublicKey(type, encoded, comment.trim()) };
}

function endOfOptions(text: string): number | undefined {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "\\" && text[at + 1] === '"') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === " " || character === "\t")) return at;
  }
  return quoted ? undefined : text.length;
}
