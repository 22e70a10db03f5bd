import { createReadStream } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf } from "../util/errors.ts";
import { Decoder } from "./decode/decoder.ts";
import { type Diagnostic, Findings } from "./diagnostic.ts";
import { createEvaluator } from "./evaluate/functions.ts";
import { ConfigFiles } from "./files.ts";
import { createScope, type GivenInputs } from "./inputs.ts";
import type { ReplicateJob } from "./replicate.ts";
import { type DecodedFile, decodeFile, type Purpose, publicWords, sensitiveNames } from "./schema/config.ts";
import { decodeSource, type SourceText } from "./source.ts";
import { Sources } from "./sources.ts";
import { parseSource } from "./syntax/body.ts";
import type { Config, HostPort } from "./types.ts";

export interface LoadOptions {
  /** Path of the file, as the user named it: so it is named in diagnostics. */
  readonly file: string;
  /** For `env()` and for `LAZYSSH_VAR_…`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of variables, from `-var name=value`. */
  readonly vars?: Readonly<Record<string, string>>;
}

/**
 * A configuration, or none because of errors among the diagnostics. Diagnostics are in the order of the file;
 * with a configuration they are warnings only.
 */
export interface ConfigResult {
  readonly config: Config | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Paths of all files that it depends on, the configuration first: those of `file()` and `templatefile()`, of keys and of what is
   * revoked. One that could not be read is among them.
   */
  readonly files: readonly string[];
  /** For `renderDiagnostics` and `diagnosticsToJson`. */
  readonly sources: Sources;
}

/** Like a configuration; a file that has replicate blocks and no server is as good. */
export interface FileResult extends ConfigResult {
  /** Undefined when anything in the file is wrong. */
  readonly jobs: readonly ReplicateJob[] | undefined;
}

/** The jobs of a file, and what the server in it is, if it has one. */
export interface JobsResult extends Omit<FileResult, "config"> {
  /** Addresses of the file's targets, those of families with their wildcards. */
  readonly targets: readonly string[];
  readonly listen: HostPort | undefined;
}

/**
 * Reads and checks the file of a server. Never throws: a file that cannot be read is a diagnostic too. What is wrong with a replicate block is a
 * warning: it is run by somebody else, who may have other variables and may read other files.
 */
export async function loadConfig(options: LoadOptions): Promise<ConfigResult> {
  return load(options, "serve");
}

/** The same of a file of any kind. */
export async function loadFile(options: LoadOptions): Promise<FileResult> {
  return load(options, "any");
}

/** What `lazyssh replicate` reads. A server's file is checked in full. */
export async function loadJobs(options: LoadOptions): Promise<JobsResult> {
  const { config, ...others } = await loadFile(options);
  const targets = config?.targets.map(({ name }) => name) ?? [];
  return { ...others, targets, listen: config?.server.listen };
}

async function load(options: LoadOptions, purpose: Purpose): Promise<FileResult> {
  try {
    return parseFile(await readAll(options.file), options, purpose);
  } catch (error) {
    const diagnostic: Diagnostic = {
      severity: "error",
      ...unreadable(options.file, error),
      range: undefined,
    };
    return {
      config: undefined,
      jobs: undefined,
      diagnostics: [diagnostic],
      files: [options.file],
      sources: new Sources(sensitiveNames, publicWords),
    };
  }
}

/** Larger than any configuration; what is larger is something else, a device perhaps. */
const LARGEST_BYTES = 4 * 1024 * 1024;

async function readAll(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file, { end: LARGEST_BYTES })) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length > LARGEST_BYTES) throw new Error("it is larger than 4 MiB");
  return bytes;
}

/** Like {@link loadConfig}, of bytes at hand. `file()` and `templatefile()` still read, relative to the folder of `file`. */
export function parseConfig(bytes: Uint8Array, options: LoadOptions): ConfigResult {
  return parseFile(bytes, options, "serve");
}

/** Like {@link loadFile}, in the same way. */
export function parseFile(
  bytes: Uint8Array,
  { file, env, vars = {} }: LoadOptions,
  purpose: Purpose = "any",
): FileResult {
  const findings = new Findings();
  const sources = new Sources(sensitiveNames, publicWords);
  const decoded = decodeSource(file, bytes);
  if (!decoded.ok) reportEncoding(decoded.source, decoded.badByte, findings);
  const files = new ConfigFiles(dirname(resolve(file)), env);
  const read = decoded.ok
    ? readSource(decoded.source, { files, env, vars, purpose }, findings, sources)
    : undefined;
  if (!decoded.ok) sources.add(decoded.source);
  const diagnostics = findings.all.map((finding) => sources.diagnostic(finding)).sort(inOrder(file));
  return {
    config: findings.isFatal ? undefined : read?.config,
    jobs: findings.isFatal ? undefined : read?.jobs,
    diagnostics,
    files: [file, ...files.paths],
    sources,
  };
}

function readSource(
  source: SourceText,
  given: GivenInputs & { readonly files: ConfigFiles; readonly purpose: Purpose },
  findings: Findings,
  sources: Sources,
): DecodedFile {
  const tree = parseSource(source, findings);
  sources.add(source, tree);
  const evaluator = createEvaluator(findings, {
    files: given.files,
    env: given.env,
    onSource: (template) => sources.add(template),
    isSecret: (text, span) => sources.isSecret(text, span),
  });
  const scope = createScope(tree, given, evaluator);
  const decoder = new Decoder(evaluator, scope, tree.broken, given.files);
  return decodeFile(source.name, tree, given.purpose, decoder);
}

function reportEncoding(source: SourceText, badByte: number, findings: Findings): void {
  const end = source.text.length;
  const detail = `Byte ${badByte} of the file is not UTF-8. Save it as UTF-8 text.`;
  findings.error(source, { start: end, end }, "Invalid character encoding", detail);
}

function unreadable(file: string, error: unknown): { summary: string; detail: string } {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
      return {
        summary: "Configuration file not found",
        detail: `There is no file "${file}". Name the configuration file with: -c FILE`,
      };
    case "EACCES":
      return {
        summary: "Configuration file not readable",
        detail: `The user who runs lazyssh may not read "${file}". Change its owner or its mode (it holds a private key: 0600 suits it).`,
      };
    case "EISDIR":
      return {
        summary: "Configuration file not readable",
        detail: `"${file}" is a folder. Name the file in it with: -c FILE`,
      };
    default:
      return {
        summary: "Configuration file not readable",
        detail: `Cannot read "${file}": ${messageOf(error)}`,
      };
  }
}

/** By place, the configuration file first; what has no place comes last. */
function inOrder(file: string): (a: Diagnostic, b: Diagnostic) => number {
  const rank = ({ range }: Diagnostic) => (range === undefined ? 2 : range.filename === file ? 0 : 1);
  return (a, b) => rank(a) - rank(b) || (a.range?.start.byte ?? 0) - (b.range?.start.byte ?? 0);
}
