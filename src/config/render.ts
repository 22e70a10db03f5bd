import type { Diagnostic } from "./diagnostic.ts";
import { graphemeCount, type SourceRange } from "./source.ts";
import type { Sources } from "./sources.ts";

type Style = Readonly<Record<"error" | "warning" | "underline" | "bold" | "end", string>>;

const PLAIN: Style = { error: "", warning: "", underline: "", bold: "", end: "" };
const COLOR: Style = {
  error: "\u001b[31m",
  warning: "\u001b[33m",
  underline: "\u001b[31m",
  bold: "\u001b[1m",
  end: "\u001b[0m",
};

/**
 * Diagnostics for a person, in Terraform's style: summary, place, source line with the part in question underlined,
 * detail. Ends with a line break unless there is nothing to tell.
 */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: Sources,
  options: { readonly color?: boolean } = {},
): string {
  const style = options.color ? COLOR : PLAIN;
  return diagnostics.map((diagnostic) => `${renderOne(diagnostic, sources, style)}\n`).join("\n");
}

function renderOne({ severity, summary, detail, range }: Diagnostic, sources: Sources, style: Style): string {
  const word = severity === "error" ? "Error" : "Warning";
  const title = `${style[severity]}${word}:${style.end} ${style.bold}${visible(summary)}${style.end}`;
  const place = range ? [renderPlace(range, sources, style)] : [];
  return [title, ...place, visible(detail)].join("\n\n");
}

function renderPlace(range: SourceRange, sources: Sources, style: Style): string {
  const { line, column } = range.start;
  const snippet = sources.snippet(range);
  if (snippet === undefined) return `  on ${range.filename} line ${line}, column ${column}`;
  const context = snippet.context ? `, in ${visible(snippet.context)}` : "";
  const number = `${String(line).padStart(4)}: `;
  const lines = [`  on ${range.filename} line ${line}${context}:`, `${number}${visible(snippet.code)}`];
  if (!snippet.hidden) {
    // Tabs stay tabs, so that the carets stand right wherever the terminal has its stops.
    const before = snippet.code.slice(0, snippet.start);
    const indent = before.replace(/[^\t]+/g, (run) => " ".repeat(graphemeCount(run)));
    const carets = "^".repeat(Math.max(1, graphemeCount(snippet.code.slice(snippet.start, snippet.end))));
    lines.push(`${" ".repeat(number.length)}${indent}${style.underline}${carets}${style.end}`);
  }
  return lines.join("\n");
}

/** Control characters of a file must not reach the terminal. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t" ? character : "\ufffd",
  );
}
