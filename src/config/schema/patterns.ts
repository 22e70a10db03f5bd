/** Whether some name matches both patterns, in which `*` stands for any characters and `?` for one. */
export function intersect(a: string, b: string): boolean {
  // reached[j]: some text matches what has been read of `a`, and the first j characters of `b`.
  let reached = Array.from({ length: b.length + 1 }, (_, j) => /^\**$/.test(b.slice(0, j)));
  for (const one of a) {
    const next: boolean[] = [];
    for (let j = 0; j <= b.length; j++) {
      const other = j > 0 ? b[j - 1] : undefined;
      const [both, onlyA, onlyB] = [j > 0 && reached[j - 1], reached[j], j > 0 && next[j - 1]];
      if (one === "*") next.push(onlyA === true || onlyB === true);
      else if (other === "*") next.push(onlyA === true || onlyB === true);
      else next.push(both === true && (one === other || one === "?" || other === "?"));
    }
    reached = next;
  }
  return reached[b.length] ?? false;
}
