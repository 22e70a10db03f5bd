/**
 * The words as one line that a shell splits into the same words again: sh, bash, dash, ksh, zsh and fish do. Every word is in
 * single quotes; a quote or a backslash of its own stands outside of them, since fish gives a backslash a meaning inside.
 *
 * @throws Error for a NUL, which no argument can hold.
 */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (word.includes("\0")) throw new Error(`an argument cannot hold a NUL: ${JSON.stringify(word)}`);
  return `'${word.replaceAll(/['\\]/g, (special) => `'\\${special}'`)}'`;
}
