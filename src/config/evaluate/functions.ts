import { readFileSync, statSync } from "node:fs";
import { messageOf } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import type { Findings } from "../diagnostic.ts";
import type { ConfigFiles } from "../files.ts";
import { decodeSource, type SourceText, type Span } from "../source.ts";
import { parseTemplateSource } from "../syntax/body.ts";
import { formatDecimal } from "./decimal.ts";
import { Evaluator } from "./evaluator.ts";
import type { Scope } from "./scope.ts";
import { templateOf } from "./template.ts";
import {
  containsSensitive,
  containsUnknown,
  kindName,
  marked,
  sortedEntries,
  string,
  toText,
  UNKNOWN,
  type Value,
} from "./value.ts";

/** What functions may look at. */
export interface FunctionWorld {
  readonly files: ConfigFiles;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each template file, so that diagnostics can show its lines. */
  readonly onSource: (source: SourceText) => void;
  /** Whether text that stands there must be kept secret. */
  readonly isSecret: (source: SourceText, span: Span) => boolean;
}

interface Arguments {
  readonly values: readonly Value[];
  /** The text of an argument; throws when it is none. */
  text(index: number): string;
  readonly scope: Scope;
  readonly evaluator: Evaluator;
  readonly world: FunctionWorld;
}

interface FunctionSpec {
  readonly parameters: readonly string[];
  readonly optional?: number;
  readonly doc: string;
  readonly apply: (given: Arguments) => Value;
}

/** Why a function cannot answer; `argument` is the one to blame. */
class CallProblem extends Error {
  override readonly name = "CallProblem";
  readonly argument: number;

  constructor(argument: number, message: string) {
    super(message);
    this.argument = argument;
  }
}

/** What cannot be a secret that somebody took for a name: `EVENTS_KEY`. */
const VARIABLE_NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;
const LARGEST_FILE = 16 * 1024 * 1024;
const sensitiveIn = (values: readonly Value[]) => values.some(containsSensitive);

/** All functions of the configuration language. */
export const functions: Readonly<Record<string, FunctionSpec>> = {
  env: {
    parameters: ["name", "default"],
    optional: 1,
    doc: "the environment variable `name`; without a `default` it must be set. Sensitive.",
    apply: ({ values, text, world }) => {
      const value = world.env[text(0)] ?? (values.length > 1 ? text(1) : undefined);
      if (value !== undefined) return string(value, true);
      // Without quotes, which would be taken out where secrets are.
      const hidden = VARIABLE_NAME.test(text(0)) ? text(0) : "of this name";
      throw new CallProblem(
        0,
        values[0]?.sensitive
          ? `The environment variable ${hidden} is not set. Set it, or give env a default.`
          : `The environment variable "${text(0)}" is not set. Set it, or give a default: env("NAME", "").`,
      );
    },
  },
  file: {
    parameters: ["path"],
    doc: "the content of a UTF-8 text file. Sensitive.",
    apply: ({ values, text, world }) => string(readText(text(0), values[0], world).text, true),
  },
  trimspace: {
    parameters: ["text"],
    doc: "`text` without white space at its ends.",
    apply: ({ values, text }) => string(text(0).trim(), sensitiveIn(values)),
  },
  base64encode: {
    parameters: ["text"],
    doc: "the UTF-8 bytes of `text` in Base64.",
    apply: ({ values, text }) => string(Buffer.from(text(0)).toString("base64"), sensitiveIn(values)),
  },
  jsonencode: {
    parameters: ["value"],
    doc: "`value` as JSON on one line, keys in order.",
    apply: ({ values }) => string(toJson(values[0] ?? UNKNOWN), sensitiveIn(values)),
  },
  templatefile: {
    parameters: ["path", "variables"],
    doc: "a file read as a template, with the attributes of the object `variables` as names. Sensitive.",
    apply: renderFile,
  },
};

/** Makes the evaluator of one configuration. */
export function createEvaluator(findings: Findings, world: FunctionWorld): Evaluator {
  const evaluator: Evaluator = new Evaluator(
    findings,
    (call, values, spans, scope) => {
      const report = (span: Span, summary: string, detail: string) =>
        evaluator.report(scope.source, span, summary, detail);
      const spec = Object.hasOwn(functions, call.name) ? functions[call.name] : undefined;
      if (spec === undefined) {
        const known = nearest(call.name, Object.keys(functions));
        const hint = known ? `Did you mean "${known}"?` : `There are: ${Object.keys(functions).join(", ")}.`;
        return report(
          call.nameSpan,
          "Call to unknown function",
          `There is no function named "${call.name}". ${hint}`,
        );
      }
      const least = spec.parameters.length - (spec.optional ?? 0);
      if (values.length < least) {
        const missing = `"${call.name}" needs ${spec.parameters.slice(0, least).join(", ")}; "${spec.parameters[values.length]}" is missing.`;
        return report(call, "Not enough function arguments", missing);
      }
      const extra = spans[spec.parameters.length];
      if (extra)
        return report(
          extra,
          "Too many function arguments",
          `"${call.name}" takes only ${spec.parameters.join(", ")}.`,
        );
      if (values.some(containsUnknown)) return UNKNOWN;
      const text = (index: number): string => {
        const value = values[index] ?? UNKNOWN;
        const content = toText(value);
        if (content !== undefined) return content;
        throw new CallProblem(
          index,
          `"${spec.parameters[index]}" must be a string; this is ${kindName(value)}.`,
        );
      };
      try {
        return spec.apply({ values, text, scope, evaluator, world });
      } catch (error) {
        if (!(error instanceof CallProblem)) throw error;
        return report(spans[error.argument] ?? call, "Invalid function argument", error.message);
      }
    },
    world.isSecret,
  );
  return evaluator;
}

function renderFile({ values, text, evaluator, world, scope }: Arguments): Value {
  if (scope.isTemplateFile) throw new CallProblem(0, "A template file cannot render another one.");
  const variables = values[1] ?? UNKNOWN;
  if (variables.kind !== "object") {
    throw new CallProblem(
      1,
      `"variables" must be an object such as { name = "value" }; this is ${kindName(variables)}.`,
    );
  }
  const source = readText(text(0), values[0], world);
  world.onSource(source);
  const template = parseTemplateSource(source, evaluator.findings);
  if (template === undefined) return UNKNOWN;
  const result = templateOf(evaluator, template, {
    source,
    variables: variables.entries,
    namespaces: new Map(),
    isTemplateFile: true,
  });
  return marked(result, true);
}

function readText(given: string, argument: Value | undefined, { files }: FunctionWorld): SourceText {
  const path = files.locate(given);
  const named = argument?.sensitive ? "the file" : path;
  try {
    const info = statSync(path);
    if (!info.isFile()) throw new CallProblem(0, `${named} is not a regular file.`);
    if (info.size > LARGEST_FILE) throw new CallProblem(0, `${named} is larger than 16 MiB.`);
    const decoded = decodeSource(path, readFileSync(path));
    if (decoded.ok) return decoded.source;
    throw new CallProblem(0, `${named} is not UTF-8 text (byte ${decoded.badByte}).`);
  } catch (error) {
    if (error instanceof CallProblem) throw error;
    const why = argument?.sensitive ? "it cannot be read" : messageOf(error);
    throw new CallProblem(0, `Cannot read ${named}: ${why}.`);
  }
}

function toJson(value: Value): string {
  switch (value.kind) {
    case "string":
      return JSON.stringify(value.value);
    case "number":
      return formatDecimal(value.value);
    case "bool":
      return String(value.value);
    case "tuple":
      return `[${value.items.map(toJson).join(",")}]`;
    case "object":
      return `{${sortedEntries(value.entries)
        .map(([name, item]) => `${JSON.stringify(name)}:${toJson(item)}`)
        .join(",")}}`;
    case "null":
    case "unknown":
      return "null";
  }
}
