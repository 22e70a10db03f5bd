/** A stretch of a source text, in UTF-16 code units; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place in a file, as HashiCorp's HCL counts: line and column from 1, the column in grapheme clusters. */
export interface Position {
  readonly line: number;
  readonly column: number;
  /** Offset in bytes of the file, from 0. */
  readonly byte: number;
}

export interface SourceRange {
  readonly filename: string;
  readonly start: Position;
  /** Exclusive. */
  readonly end: Position;
}

/** Made when first needed: its tables are a megabyte. */
let segmenter: Intl.Segmenter | undefined;
/** Characters that never join with each other: for them one UTF-16 unit is one cluster. */
const ALWAYS_APART = /^[\t\x20-\x7e\u00a1-\u00a8\u00aa-\u00ac\u00b0-\u024f\u3041-\u3096\u4e00-\u9fff]*$/;
const WINDOW = 512;

/** How many grapheme clusters a text has: what a person would call characters. */
export function graphemeCount(text: string): number {
  if (ALWAYS_APART.test(text)) return text.length;
  let count = 0;
  for (const _ of graphemeStarts(text)) count += 1;
  return count;
}

/** Where in a text its grapheme cluster number `count` (from 0) begins. */
export function graphemeIndex(text: string, count: number): number {
  if (ALWAYS_APART.test(text)) return Math.min(count, text.length);
  let left = count;
  for (const index of graphemeStarts(text)) if (left-- === 0) return index;
  return text.length;
}

// In windows, because V8 takes quadratic time for a long text. A cluster that touches the end of its window is
// looked at again in the next one.
function* graphemeStarts(text: string): Generator<number> {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  let size = WINDOW;
  for (let start = 0; start < text.length; ) {
    const end = Math.min(start + size, text.length);
    const starts = Array.from(segmenter.segment(text.slice(start, end)), ({ index }) => start + index);
    const again = end < text.length ? starts.pop() : undefined;
    yield* starts;
    size = again === start ? size * 2 : WINDOW;
    start = again ?? end;
  }
}

/** One file's text, able to tell line and column of any offset. */
export class SourceText {
  readonly name: string;
  readonly text: string;
  readonly #bomBytes: number;
  readonly #lineStarts: readonly number[];
  #mark = { lineStart: 0, offset: 0, column: 1 };

  constructor(name: string, text: string, bomBytes = 0) {
    this.name = name;
    this.text = text;
    this.#bomBytes = bomBytes;
    const starts = [0];
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  get lineCount(): number {
    return this.#lineStarts.length;
  }

  /** Line number, from 1, of an offset. */
  lineAt(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  /** Where a line (from 1) lies, without its line end. */
  lineSpan(line: number): Span {
    const start = this.#lineStarts[line - 1] ?? this.text.length;
    const next = this.#lineStarts[line];
    let end = next === undefined ? this.text.length : next - 1;
    if (end > start && this.text[end - 1] === "\r") end -= 1;
    return { start, end };
  }

  slice(span: Span): string {
    return this.text.slice(span.start, span.end);
  }

  positionAt(offset: number): Position {
    const line = this.lineAt(offset);
    return {
      line,
      column: this.#columnAt(this.#lineStarts[line - 1] ?? 0, offset),
      byte: this.#bomBytes + Buffer.byteLength(this.text.slice(0, offset)),
    };
  }

  range(span: Span): SourceRange {
    return { filename: this.name, start: this.positionAt(span.start), end: this.positionAt(span.end) };
  }

  // Counting on from the last question keeps many questions about one very long line cheap.
  #columnAt(lineStart: number, offset: number): number {
    const mark = this.#mark;
    const known = mark.lineStart === lineStart && mark.offset <= offset;
    const from = known ? mark.offset : lineStart;
    const column = (known ? mark.column : 1) + graphemeCount(this.text.slice(from, offset));
    this.#mark = { lineStart, offset, column };
    return column;
  }
}

export type DecodedBytes =
  | { readonly ok: true; readonly source: SourceText }
  /** `source` is the text before the first bad byte. */
  | { readonly ok: false; readonly source: SourceText; readonly badByte: number };

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Reads bytes as strict UTF-8. A byte order mark is skipped, and counts in byte offsets only. */
export function decodeSource(name: string, bytes: Uint8Array): DecodedBytes {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bomBytes = all.subarray(0, 3).equals(BOM) ? 3 : 0;
  const body = all.subarray(bomBytes);
  const strict = decodeStrictly(body);
  if (strict !== undefined) return { ok: true, source: new SourceText(name, strict, bomBytes) };
  let good = 0;
  let bad = body.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodePrefix(body.subarray(0, middle)) !== undefined) good = middle;
    else bad = middle;
  }
  const text = decodePrefix(body.subarray(0, good)) ?? "";
  const at = Buffer.byteLength(text);
  return { ok: false, source: new SourceText(name, text, bomBytes), badByte: bomBytes + at };
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Like {@link decodeStrictly}, but a character cut off at the end is left out instead of refused. */
function decodePrefix(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
