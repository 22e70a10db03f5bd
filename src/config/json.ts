import type { Diagnostic, Severity } from "./diagnostic.ts";
import type { SourceRange } from "./source.ts";
import type { Sources } from "./sources.ts";

/** What `terraform validate -json` prints. */
export interface ValidationJson {
  readonly format_version: "1.0";
  readonly valid: boolean;
  readonly error_count: number;
  readonly warning_count: number;
  readonly diagnostics: readonly DiagnosticJson[];
}

export interface DiagnosticJson {
  readonly severity: Severity;
  readonly summary: string;
  readonly detail: string;
  readonly range?: SourceRange;
  readonly snippet?: SnippetJson;
}

export interface SnippetJson {
  readonly context: string | null;
  readonly code: string;
  readonly start_line: number;
  /** Offsets into `code`, in characters. */
  readonly highlight_start_offset: number;
  readonly highlight_end_offset: number;
  /** Always empty: values are never shown. */
  readonly values: readonly never[];
}

/** Diagnostics for a program, in the shape of `terraform validate -json`. */
export function diagnosticsToJson(diagnostics: readonly Diagnostic[], sources: Sources): ValidationJson {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  return {
    format_version: "1.0",
    valid: errors === 0,
    error_count: errors,
    warning_count: diagnostics.length - errors,
    diagnostics: diagnostics.map((diagnostic) => toJson(diagnostic, sources)),
  };
}

function toJson({ severity, summary, detail, range }: Diagnostic, sources: Sources): DiagnosticJson {
  const common = { severity, summary, detail };
  if (range === undefined) return common;
  const snippet = sources.snippet(range);
  if (snippet === undefined) return { ...common, range };
  const { context = null, code, start, end } = snippet;
  const characters = (offset: number) => [...code.slice(0, offset)].length;
  return {
    ...common,
    range,
    snippet: {
      context,
      code,
      start_line: range.start.line,
      highlight_start_offset: characters(start),
      highlight_end_offset: characters(end),
      values: [],
    },
  };
}
