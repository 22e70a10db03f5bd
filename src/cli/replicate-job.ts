import { type Diagnostic, parseFile, type ReplicateJob } from "../config/index.ts";
import type { ReachFlags, SendFlags } from "./replicate-flags.ts";
import { nameOfWays, type Ways } from "./replicate-words.ts";

/**
 * Flags are read as the config language reads what they stand for: they become a block of it, one line for each, so that there is one
 * opinion of what a size or a host is.
 */

export type JobFlags = ReachFlags & SendFlags & { readonly name?: string };
export type JobResult = { readonly job: ReplicateJob; readonly warnings: readonly string[] } | Problems;
export interface Problems {
  readonly problems: readonly string[];
}

interface Line {
  /** As it is typed. */
  readonly typed: string;
  readonly block?: "snapshots" | "ssh" | "send" | "keep";
  readonly attribute: string;
  /** In the config language. */
  readonly value: string;
  readonly take: (from: ReplicateJob, to: ReplicateJob) => ReplicateJob;
}

/** A job that only flags tell of. */
export function jobOfWays(ways: Ways, flags: JobFlags): JobResult {
  const { source, destination, target, direction } = ways;
  const fixed: readonly Line[] = [
    line(direction === "push" ? "SRC" : "TARGET:SRC", "source", string(source)),
    line("TARGET", "target", string(target)),
    line(direction === "push" ? "TARGET:DST" : "DST", "destination", string(destination)),
    line("direction", "direction", string(direction)),
  ];
  const lines = linesOf(flags);
  if ("problems" in lines) return lines;
  const read = parse(flags.name ?? nameOfWays(ways), [...fixed, ...lines]);
  if ("problems" in read) return read;
  return flags.keep === "all" ? { ...read, job: { ...read.job, keep: undefined } } : read;
}

/** A job of a file, with what the flags say instead. */
export function jobWithFlags(job: ReplicateJob, flags: JobFlags): JobResult {
  const lines = linesOf(flags);
  if ("problems" in lines) return lines;
  const given = new Set(lines.map(({ attribute, block }) => (block ? undefined : attribute)));
  const of = (attribute: string, value: string) => (given.has(attribute) ? [] : [line("", attribute, value)]);
  const base: readonly Line[] = [
    line("", "source", string(job.source)),
    line("", "target", string(job.target)),
    line("", "destination", string(job.destination)),
    ...of("recursive", String(job.recursive)),
    ...of("exclude", list(job.exclude)),
  ];
  const read = parse(job.name, [...base, ...lines]);
  if ("problems" in read) return read;
  const merged = lines.reduce((to, { take }) => take(read.job, to), job);
  const bare: ReplicateJob = flags.keep === "all" ? { ...merged, keep: undefined } : merged;
  return { job: bare, warnings: read.warnings };
}

function linesOf(flags: JobFlags): readonly Line[] | Problems {
  const keep = keepLines(flags.keep);
  if ("problems" in keep) return keep;
  const problems: string[] = [];
  const argv = (typed: string, given: string) => {
    const words = jsonList(given);
    if (!words)
      problems.push(
        `${typed}: a JSON list of words is needed, such as '["zpool", "export", "backup"]', not ${given}`,
      );
    return list(words ?? []);
  };
  const top: readonly (Line | undefined)[] = [
    given(flags.recursive, (value) => top1("--recursive", "recursive", String(value), "recursive")),
    given(flags.exclude, (value) => top1("--exclude", "exclude", list(value), "exclude")),
    given(flags.zfs, (value) => top1("--zfs", "zfs", string(value), "zfs")),
    given(flags.remoteZfs, (value) => top1("--remote-zfs", "remote_zfs", string(value), "remoteZfs")),
    given(flags.before, (value) => top1("--before", "before", argv("--before", value), "before")),
    given(flags.after, (value) => top1("--after", "after", argv("--after", value), "after")),
    given(flags.bootTimeout, (value) =>
      top1("--boot-timeout", "boot_timeout", string(value), "bootTimeoutMs"),
    ),
    given(flags.timeout, (value) => top1("--timeout", "timeout", string(value), "timeoutMs")),
    given(flags.stallTimeout, (value) =>
      top1("--stall-timeout", "stall_timeout", string(value), "stallTimeoutMs"),
    ),
    given(flags.maxAge, (value) => top1("--max-age", "max_age", string(value), "maxAgeMs")),
    given(flags.scrubEvery, (value) => top1("--scrub-every", "scrub_every", string(value), "scrubEveryMs")),
    given(flags.snapshots, (value) => in1("--snapshots", "snapshots", "include", list(value), "include")),
    given(flags.skipSnapshots, (value) =>
      in1("--skip-snapshots", "snapshots", "exclude", list(value), "exclude"),
    ),
    given(flags.ssh, (value) => in1("--ssh", "ssh", "program", string(value), "program")),
    given(flags.sshConfig, (value) => in1("-F", "ssh", "config", string(value), "config")),
    given(flags.login, (value) => in1("-l", "ssh", "user", string(value), "user")),
    given(flags.identity, (value) => in1("-i", "ssh", "identity", string(value), "identity")),
    given(flags.jump, (value) => in1("-J", "ssh", "jump", string(value), "jump")),
    given(flags.port, (value) =>
      in1("-p", "ssh", "port", /^\d+$/.test(value) ? value : string(value), "port"),
    ),
    given(flags.option, (value) => in1("-o", "ssh", "options", list(value), "options")),
    given(flags.raw, (value) => in1("--raw", "send", "raw", String(value), "raw")),
    given(flags.compress, (value) => in1("--compress", "send", "compress", string(value), "compress")),
    given(flags.rateLimit, (value) => in1("--rate-limit", "send", "rate_limit", string(value), "rateLimit")),
    given(flags.intermediates, (value) =>
      in1("--intermediates", "send", "intermediates", String(value), "intermediates"),
    ),
  ];
  return problems.length > 0 ? { problems } : [...top.filter((one) => one !== undefined), ...keep];
}

function given<T>(value: T | undefined, make: (value: T) => Line): Line | undefined {
  return value === undefined ? undefined : make(value);
}

function line(typed: string, attribute: string, value: string): Line {
  return { typed, attribute, value, take: (_, to) => to };
}

function top1(typed: string, attribute: string, value: string, key: keyof ReplicateJob): Line {
  return { ...line(typed, attribute, value), take: (from, to) => ({ ...to, [key]: from[key] }) };
}

function in1<B extends "snapshots" | "ssh" | "send">(
  typed: string,
  block: B,
  attribute: string,
  value: string,
  key: keyof ReplicateJob[B],
): Line {
  return {
    ...line(typed, attribute, value),
    block,
    take: (from, to) => ({ ...to, [block]: { ...to[block], [key]: from[block][key] } }),
  };
}

/** `last=4,daily=7`: what is not named is 0, as in a block. */
function keepLines(counts: string | undefined): readonly Line[] | Problems {
  if (counts === undefined || counts === "all") return [];
  const pairs = counts
    .split(",")
    .map((pair) => /^\s*(last|hourly|daily|weekly|monthly|yearly)\s*=\s*(\d+)\s*$/.exec(pair));
  const names = new Set(pairs.map((pair) => pair?.[1]));
  if (pairs.some((pair) => pair === null) || names.size < pairs.length) {
    return {
      problems: [
        `--keep: counts are needed, such as last=4,hourly=24,daily=7,weekly=4,monthly=12,yearly=1, or "all", not "${counts}"`,
      ],
    };
  }
  return pairs.map((pair) => ({
    ...line("--keep", pair?.[1] ?? "", pair?.[2] ?? ""),
    block: "keep",
    take: (from, to) => ({ ...to, keep: from.keep }),
  }));
}

function parse(name: string, lines: readonly Line[]): JobResult {
  const typed: string[] = ["--name"];
  const text = [`replicate ${string(name)} {`];
  const add = ({ typed: word, attribute, value }: Line) => {
    typed.push(word);
    text.push(`${attribute} = ${value}`);
  };
  for (const one of lines) if (!one.block) add(one);
  for (const block of ["snapshots", "ssh", "send", "keep"] as const) {
    const inside = lines.filter((one) => one.block === block);
    if (inside.length === 0) continue;
    typed.push(inside[0]?.typed ?? "");
    text.push(`${block} {`);
    inside.forEach(add);
    typed.push("");
    text.push("}");
  }
  // Relative paths are those of the current folder: the file that is named would be there.
  const { jobs, diagnostics } = parseFile(Buffer.from(`${text.join("\n")}\n}\n`), {
    file: "command line",
    env: {},
  });
  const told = (severity: Diagnostic["severity"]) =>
    diagnostics.filter((one) => one.severity === severity).map((one) => words(one, typed));
  const [job] = jobs ?? [];
  if (!job) return { problems: told("error") };
  return { job, warnings: told("warning").filter((warning) => !warning.startsWith(":")) };
}

function words({ summary, detail, range }: Diagnostic, typed: readonly string[]): string {
  const flag = range === undefined ? "" : (typed[range.start.line - 1] ?? "");
  const why = /^Inappropriate value for "\w+"\. (.*)$/s.exec(detail)?.[1] ?? `${summary}. ${detail}`;
  return `${flag}: ${why}`.replace(/\s+/g, " ").trim();
}

function jsonList(text: string): readonly string[] | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return Array.isArray(read) && read.every((word) => typeof word === "string")
      ? (read as string[])
      : undefined;
  } catch {
    return undefined;
  }
}

function list(words: readonly string[]): string {
  return `[${words.map(string).join(", ")}]`;
}

/** In the config language nothing of it is a template, or an escape that it does not know. */
function string(text: string): string {
  return JSON.stringify(text)
    .replace(/\\b/g, (all, at: number, whole: string) => (isEscaped(whole, at) ? all : "\\u0008"))
    .replace(/\\f/g, (all, at: number, whole: string) => (isEscaped(whole, at) ? all : "\\u000c"))
    .replace(/[$%](?=\{)/g, "$&$&");
}

/** The backslash at `at` is itself behind one that escapes it. */
function isEscaped(text: string, at: number): boolean {
  let before = 0;
  while (text[at - 1 - before] === "\\") before++;
  return before % 2 === 1;
}
