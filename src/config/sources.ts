import type { Diagnostic, Finding } from "./diagnostic.ts";
import { secretLines } from "./secrets.ts";
import { graphemeIndex, type SourceRange, type SourceText, type Span } from "./source.ts";
import type { SyntaxTree } from "./syntax/tree.ts";

/** The source line a diagnostic is about. */
export interface Snippet {
  /** Header of the outermost block around it: `target "archiver" "aws_ec2"`. */
  readonly context: string | undefined;
  /** The line; `(sensitive value)` where it may hold a secret. */
  readonly code: string;
  /** The line may hold a secret and is not shown. */
  readonly hidden: boolean;
  /** The marked part of `code`, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

interface Entry {
  readonly source: SourceText;
  readonly tree: SyntaxTree | undefined;
  readonly secret: ReadonlySet<number>;
}

const HIDDEN = "(sensitive value)";

/** The texts a configuration was read from. It gives out their lines, except those that may hold secrets. */
export class Sources {
  readonly #entries = new Map<string, Entry>();
  readonly #sensitive: ReadonlySet<string>;
  readonly #publicWords: ReadonlySet<string>;

  /** `sensitive` are the names of arguments that hold secrets; `publicWords` may always be quoted. */
  constructor(sensitive: ReadonlySet<string>, publicWords: ReadonlySet<string>) {
    this.#sensitive = sensitive;
    this.#publicWords = publicWords;
  }

  add(source: SourceText, tree?: SyntaxTree): void {
    this.#entries.set(source.name, { source, tree, secret: secretLines(source, tree, this.#sensitive) });
  }

  isSecret(source: SourceText, span: Span): boolean {
    const secret = this.#entries.get(source.name)?.secret;
    if (secret === undefined) return true;
    if (secret.size === 0) return false;
    const last = source.lineAt(Math.max(span.start, span.end - 1));
    for (let line = source.lineAt(span.start); line <= last; line++) if (secret.has(line)) return true;
    return false;
  }

  /** What is found wrong, ready to be shown: quotations from places of secrets are taken out of the words. */
  diagnostic({ severity, summary, detail, place }: Finding): Diagnostic {
    if (place === undefined) return { severity, summary, detail, range: undefined };
    const range = place.source.range(place.span);
    const hide = this.isSecret(place.source, place.span);
    return {
      severity,
      summary: hide ? this.#redact(summary) : summary,
      detail: hide ? this.#redact(detail) : detail,
      range,
    };
  }

  /** Undefined when the file's text is not at hand. */
  snippet(range: SourceRange): Snippet | undefined {
    const entry = this.#entries.get(range.filename);
    if (entry === undefined) return undefined;
    const { source, secret } = entry;
    const { line } = range.start;
    const span = source.lineSpan(line);
    const code = source.slice(span);
    const start = graphemeIndex(code, range.start.column - 1);
    const context = contextOf(entry, span.start + start);
    if (secret.has(line)) return { context, code: HIDDEN, hidden: true, start: 0, end: 0 };
    const end = range.end.line > line ? code.trimEnd().length : graphemeIndex(code, range.end.column - 1);
    return { context, code, hidden: false, start, end: Math.max(start, end) };
  }

  #redact(words: string): string {
    // Short ones are matched too: else what follows a short quotation would be taken for one, and the next one not.
    return words.replace(/"([^"]*)"/g, (quotation, word: string) =>
      word.length < 4 || this.#publicWords.has(word) ? quotation : HIDDEN,
    );
  }
}

function contextOf({ source, tree, secret }: Entry, offset: number): string | undefined {
  const block = tree?.body.blocks.find(({ start, end }) => start <= offset && offset < end);
  if (block === undefined || secret.has(source.lineAt(block.start))) return undefined;
  return [block.type, ...block.labels.map(({ value }) => JSON.stringify(value))].join(" ");
}
