/**
 * Whether the whole text is what the pattern says: `*` stands for any characters, also none, `?` for one. Upper and lower case
 * differ. Takes at most (length of the pattern × length of the text) steps, whatever a stranger has written.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  /** After the last `*`, and what it stands for ends before this. */
  let afterStar = -1;
  let starEnd = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      p += 1;
      afterStar = p;
      starEnd = t;
    } else if (pattern[p] === "?" || pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (afterStar !== -1) {
      // Only the last `*` need ever take more: what it takes, an earlier one would leave to it.
      starEnd += 1;
      p = afterStar;
      t = starEnd;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p += 1;
  return p === pattern.length;
}
