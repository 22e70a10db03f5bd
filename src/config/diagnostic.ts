import type { SourceRange, SourceText, Span } from "./source.ts";

export type Severity = "error" | "warning";

/** One thing to tell about a configuration. Its words never hold a secret. */
export interface Diagnostic {
  readonly severity: Severity;
  /** What is wrong, in a few words: "Missing required argument". */
  readonly summary: string;
  /** What exactly, and what to do. */
  readonly detail: string;
  /** Absent when it is about no place in a file. */
  readonly range: SourceRange | undefined;
}

/** A diagnostic before its place has been worked out. */
export interface Finding {
  readonly severity: Severity;
  readonly summary: string;
  readonly detail: string;
  readonly place: { readonly source: SourceText; readonly span: Span } | undefined;
}

const MOST_FINDINGS = 100;

/** Collects what is found wrong: the first hundred findings, each once. */
export class Findings {
  readonly #all = new Map<string, Finding>();
  #errors = 0;
  #fatal = 0;
  #tolerated: string | undefined;

  get all(): readonly Finding[] {
    return [...this.#all.values()];
  }

  get errorCount(): number {
    return this.#errors;
  }

  /** Whether an error stands in the way of everything: one that is not tolerated. */
  get isFatal(): boolean {
    return this.#fatal > 0;
  }

  /** Errors that are found by the action are told as warnings, with these words behind them. */
  tolerating<T>(words: string, action: () => T): T {
    this.#tolerated = words;
    try {
      return action();
    } finally {
      this.#tolerated = undefined;
    }
  }

  /** True once so much is wrong that reading on helps nobody. */
  get full(): boolean {
    return this.#all.size >= MOST_FINDINGS;
  }

  error(source: SourceText, span: Span, summary: string, detail: string): void {
    this.add({ severity: "error", summary, detail, place: { source, span } });
  }

  warning(source: SourceText, span: Span, summary: string, detail: string): void {
    this.add({ severity: "warning", summary, detail, place: { source, span } });
  }

  add(found: Finding): void {
    const isError = found.severity === "error";
    const isTolerated = isError && this.#tolerated !== undefined;
    if (isError) this.#errors += 1;
    if (isError && !isTolerated) this.#fatal += 1;
    const finding: Finding = isTolerated
      ? { ...found, severity: "warning", detail: `${found.detail} ${this.#tolerated}` }
      : found;
    const { place, summary, detail } = finding;
    // What a `for` repeats is found wrong in each round.
    const key = JSON.stringify([place?.source.name, place?.span.start, place?.span.end, summary, detail]);
    if (!this.full && !this.#all.has(key)) this.#all.set(key, finding);
  }
}
