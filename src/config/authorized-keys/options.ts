import { nearest } from "../../util/nearest.ts";
import type { AuthorizedKey, PermitOpen } from "../access.ts";
import {
  isEnvironment,
  isPermitListen,
  isTunnel,
  readFrom,
  readPermitOpen,
  readPrincipals,
  readTime,
} from "./values.ts";

/** What the options before a key say. */
export type KeyOptions = Omit<AuthorizedKey, "key" | "source">;

export type OptionsRead =
  | { readonly options: KeyOptions; readonly warning: string | undefined }
  | { readonly problem: string };

export const NO_OPTIONS: KeyOptions = {
  certAuthority: false,
  principals: undefined,
  from: undefined,
  expiresAt: undefined,
  forwarding: true,
  permitOpen: undefined,
  command: undefined,
  touchRequired: true,
  verifyRequired: false,
};

/** The options as they are read, one after the other. */
type Draft = { -readonly [K in keyof KeyOptions]: KeyOptions[K] } & { warning: string | undefined };

const NAME = /^[\w@.-]{1,40}$/;

/** Why a key with this option is refused. */
class OptionProblem extends Error {
  override readonly name = "OptionProblem";
}

/** Options without a value, by their names in lower case. */
const FLAGS: Readonly<Record<string, (draft: Draft) => void>> = {
  restrict: (draft) => {
    draft.forwarding = false;
  },
  "cert-authority": (draft) => {
    draft.certAuthority = true;
  },
  "port-forwarding": (draft) => {
    draft.forwarding = true;
  },
  "no-port-forwarding": (draft) => {
    draft.forwarding = false;
  },
  "touch-required": (draft) => {
    draft.touchRequired = true;
  },
  "no-touch-required": (draft) => {
    draft.touchRequired = false;
  },
  "verify-required": (draft) => {
    draft.verifyRequired = true;
  },
  "no-verify-required": (draft) => {
    draft.verifyRequired = false;
  },
  ...Object.fromEntries(
    // What they concern is granted to nobody here.
    ["pty", "agent-forwarding", "x11-forwarding", "user-rc"].flatMap((name) => [
      [name, () => undefined],
      [`no-${name}`, () => undefined],
    ]),
  ),
};

/** Options with a value in quotes. */
const VALUES: Readonly<Record<string, (value: string, draft: Draft) => void>> = {
  command: (value, draft) => {
    once(draft.command);
    draft.command = value;
  },
  principals: (value, draft) => {
    once(draft.principals);
    draft.principals = readPrincipals(value) ?? malformed("names with commas between them are needed");
  },
  from: (value, draft) => {
    once(draft.from);
    const read = readFrom(value);
    if ("problem" in read) malformed(read.problem);
    draft.from = read.from;
    if (read.names.length === 0) return;
    draft.warning = `Its "from" has names of hosts. They are not looked up, so that nobody comes from there: write addresses.`;
  },
  "expiry-time": (value, draft) => {
    const time =
      readTime(value) ??
      malformed("a time is YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z at its end for UTC");
    draft.expiresAt = Math.min(draft.expiresAt ?? time, time);
  },
  permitopen: (value, draft) => {
    const permit: PermitOpen =
      readPermitOpen(value) ??
      malformed('"host:port" is needed, and a port is a number from 1 to 65535 or *');
    draft.permitOpen = [...(draft.permitOpen ?? []), permit];
  },
  permitlisten: accepted(isPermitListen, '"host:port" or a port is needed'),
  tunnel: accepted(isTunnel, "the number of a device is needed"),
  environment: accepted(isEnvironment, "NAME=value is needed"),
};

/** Names of all options, in lower case. */
export const OPTION_NAMES: readonly string[] = [...Object.keys(FLAGS), ...Object.keys(VALUES)];

/** Reads the options before a key as sshd does (auth-options.c): what it would refuse the key for, it is refused for here. */
export function readOptions(text: string): OptionsRead {
  const draft: Draft = { ...NO_OPTIONS, warning: undefined };
  let at = 0;
  while (at < text.length) {
    const name = /[^=,"\s]*/y;
    name.lastIndex = at;
    const word = name.exec(text)?.[0] ?? "";
    at += word.length;
    const value = text[at] === "=" ? dequoted(text, at + 1) : undefined;
    if (value === null) return { problem: `The value of ${shown(word)} must stand in quotes: NAME="…".` };
    at = value?.end ?? at;
    if (at < text.length && text[at] !== ",")
      return { problem: `What follows ${shown(word)} cannot be read.` };
    at += 1;
    // sshd passes over an empty option as well.
    if (word === "" && value === undefined) continue;
    const problem = apply(word, value?.text, draft);
    if (problem) return { problem };
  }
  const { warning, ...options } = draft;
  if (options.principals && !options.certAuthority)
    return { problem: '"principals" is only for a key with "cert-authority".' };
  return { options, warning };
}

function apply(word: string, value: string | undefined, draft: Draft): string | undefined {
  const name = word.toLowerCase();
  const table = value === undefined ? FLAGS : VALUES;
  if (!Object.hasOwn(table, name)) return unknown(word, value !== undefined);
  try {
    if (value === undefined) FLAGS[name]?.(draft);
    else VALUES[name]?.(value, draft);
    return undefined;
  } catch (error) {
    if (!(error instanceof OptionProblem)) throw error;
    return `Its option ${shown(name)}: ${error.message}.`;
  }
}

function unknown(word: string, hasValue: boolean): string {
  const name = word.toLowerCase();
  if (!NAME.test(name)) return "It has an option that cannot be read.";
  if (Object.hasOwn(FLAGS, name)) return `The option ${shown(word)} takes no value.`;
  if (Object.hasOwn(VALUES, name)) return `The option ${shown(word)} needs a value: ${name}="…".`;
  const near = nearest(name, hasValue ? Object.keys(VALUES) : OPTION_NAMES);
  return `There is no option ${shown(word)}.${near ? ` Did you mean "${near}"?` : ""}`;
}

/** A value in quotes that starts there; null when it has none, or no end. */
function dequoted(text: string, start: number): { readonly text: string; readonly end: number } | null {
  const match = /"((?:\\"|\\(?!")|[^"\\])*)"/y;
  match.lastIndex = start;
  const [whole, content] = match.exec(text) ?? [];
  if (whole === undefined || content === undefined) return null;
  return { text: content.replaceAll('\\"', '"'), end: start + whole.length };
}

/** Names are quoted, but not whatever else may stand there. */
function shown(word: string): string {
  return NAME.test(word) ? `"${word}"` : "an option";
}

function once(before: unknown): void {
  if (before !== undefined) malformed("it is there twice");
}

function malformed(problem: string): never {
  throw new OptionProblem(problem);
}

function accepted(fits: (value: string) => boolean, needed: string): (value: string) => void {
  return (value) => {
    if (!fits(value)) malformed(needed);
  };
}
