/**
 * Whether a pattern is all of a text: `*` stands for any characters, or none, `?` for one, everything else for itself. Case counts.
 * Time is at worst the product of the two lengths, whatever the pattern.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let read = 0;
  /** Where the last `*` is, and up to where it reaches in the text. */
  let star = -1;
  let reach = 0;
  while (at < text.length) {
    const one = pattern[read];
    if (one === "*") {
      star = read++;
      reach = at;
    } else if (one === "?" || (one !== undefined && one === text[at])) {
      read++;
      at++;
    } else if (star >= 0) {
      read = star + 1;
      at = ++reach;
    } else {
      return false;
    }
  }
  while (pattern[read] === "*") read++;
  return read === pattern.length;
}
