/**
 * Text from elsewhere (names, what programs have printed) for a terminal: control and format characters, which could move a cursor
 * or turn the writing direction, become spaces. Line breaks stay.
 */
export function harmless(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}

/** The same on one line. */
export function harmlessLine(text: string): string {
  return harmless(text).replaceAll("\n", " ").trim();
}

/** The last lines of what a program has printed, on one line of at most so many characters. */
export function lastWords(printed: string, most = 300): string {
  const lines = harmless(printed).trim().split("\n").slice(-3);
  const line = lines.map((each) => each.trim()).join("; ");
  return line.length <= most ? line : `…${line.slice(-most)}`;
}
