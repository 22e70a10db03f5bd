/**
 * The words as one line that a shell splits into the same words again: sh, bash, dash, ksh, zsh and fish do. Every word is in
 * single quotes; a quote or a backslash of its own stands outside of them, since fish gives a backslash a meaning inside.
 *
 * @throws Error for a NUL, which no argument can hold.
 */
export function quote(argv: readonly string[]): string {
  const impossible = argv.find((word) => word.includes("\0"));
  if (impossible !== undefined)
    throw new Error(`an argument cannot hold a NUL: ${JSON.stringify(impossible)}`);
  return argv.map(quoteWord).join(" ");
}

/** The same for lines that people read too: in quotes are only words in which a shell might see more than a word. */
export function quoteWhereNeeded(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-][\w@%+=:,./#-]*$/.test(word) ? word : quoteWord(word))).join(" ");
}

function quoteWord(word: string): string {
  return `'${word.replaceAll(/['\\]/g, (special) => `'\\${special}'`)}'`;
}
