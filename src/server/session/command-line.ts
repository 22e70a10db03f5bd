import { parseDuration } from "../../config/index.ts";
import { nearest } from "../../util/nearest.ts";

/** What can be asked for by `ssh lazyssh COMMAND`. */
export type Command =
  | { readonly do: "overview" | "help" }
  | { readonly do: "status"; readonly json: boolean; readonly volumes: boolean }
  | { readonly do: "start"; readonly target: string; readonly forMs: number | undefined }
  | { readonly do: "stop"; readonly target: string; readonly cut: boolean };

/** What is wrong with a command line, for the person who typed it. */
export interface Problem {
  readonly problem: string;
}

const COMMANDS = ["status", "start", "stop", "help"];

/** A command line as a command. No shell reads it: there are words, and quotes around them. */
export function parseCommand(line: string): Command | Problem {
  const words = splitWords(line);
  if ("problem" in words) return words;
  const [name, ...args] = words.words;
  switch (name) {
    case undefined:
      return { do: "overview" };
    case "help":
    case "--help":
    case "-h":
      return { do: "help" };
    case "status":
      return parseStatus(args);
    case "start":
      return parseStart(args);
    case "stop":
      return parseStop(args);
    default: {
      const near = nearest(name, COMMANDS);
      const hint = near === undefined ? "" : `: did you mean "${near}"?`;
      return { problem: `there is no command "${name}"${hint}` };
    }
  }
}

/** Words, apart from each other by white space; what is between quotes of either kind is taken as it is. */
export function splitWords(line: string): { readonly words: readonly string[] } | Problem {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of line) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word = `${word ?? ""}${character}`;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = `${word ?? ""}${character}`;
    }
  }
  if (quote !== undefined) return { problem: `a quote (${quote}) is not closed` };
  if (word !== undefined) words.push(word);
  return { words };
}

function parseStatus(args: readonly string[]): Command | Problem {
  const known = ["--json", "--volumes", "--no-volumes"];
  const other = args.find((arg) => !known.includes(arg));
  if (other !== undefined) return unexpected("status", other);
  return { do: "status", json: args.includes("--json"), volumes: !args.includes("--no-volumes") };
}

function parseStart(args: readonly string[]): Command | Problem {
  const targets: string[] = [];
  let forMs: number | undefined;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--lift") {
      return {
        problem: "--lift is not offered here, only on the server itself: lazyssh start TARGET --lift",
      };
    }
    if (arg !== "--for" && !arg.startsWith("--for=")) {
      if (arg.startsWith("-")) return unexpected("start", arg);
      targets.push(arg);
      continue;
    }
    const text = arg === "--for" ? (rest.shift() ?? "") : arg.slice("--for=".length);
    const time = parseDuration(text);
    if ("problem" in time) return { problem: `--for "${text}": ${time.problem}` };
    if (time.ms <= 0) return { problem: `--for "${text}": It must be longer than nothing.` };
    forMs = time.ms;
  }
  const target = one("start", targets);
  return typeof target === "string" ? { do: "start", target, forMs } : target;
}

function parseStop(args: readonly string[]): Command | Problem {
  const isCut = (arg: string) => arg === "--cut" || arg === "--now";
  const others = args.filter((arg) => !isCut(arg));
  const flag = others.find((arg) => arg.startsWith("-"));
  if (flag !== undefined) return unexpected("stop", flag);
  const target = one("stop", others);
  return typeof target === "string" ? { do: "stop", target, cut: args.some(isCut) } : target;
}

function one(command: string, targets: readonly string[]): string | Problem {
  const [target, other] = targets;
  if (target === undefined) return { problem: `"${command}" needs the name of a target` };
  return other === undefined ? target : unexpected(command, other);
}

function unexpected(command: string, arg: string): Problem {
  return { problem: `"${command}" knows no "${arg}"` };
}
