import type { TypedFlagParameter } from "@stricli/core";
import { logFormats, logLevels } from "../observe/index.ts";
import type { CliContext } from "./context.ts";

/** Flags that several commands share, with one wording for all. */

export const configFlag = {
  kind: "parsed",
  parse: String,
  brief: "The config file (default: config.hcl in the current folder)",
  placeholder: "FILE",
  default: "config.hcl",
} as const satisfies TypedFlagParameter<string, CliContext>;

export const varFlag = {
  kind: "parsed",
  parse: parseAssignment,
  brief: "Value of a variable of the config file; may be repeated (also LAZYSSH_VAR_name)",
  placeholder: "NAME=VALUE",
  optional: true,
  variadic: true,
} as const satisfies TypedFlagParameter<readonly Assignment[] | undefined, CliContext>;

export const stateDirFlag = {
  kind: "parsed",
  parse: String,
  brief: "Folder for what must survive a restart (default: $STATE_DIRECTORY, or lazyssh in $XDG_STATE_HOME)",
  placeholder: "DIR",
  optional: true,
} as const satisfies TypedFlagParameter<string | undefined, CliContext>;

/** Which running server is meant. */
export const serverFlags = { config: configFlag, var: varFlag, stateDir: stateDirFlag } as const;

export interface ServerFlags {
  readonly config: string;
  readonly var?: readonly Assignment[];
  readonly stateDir?: string;
}

export const targetParameter = {
  kind: "tuple",
  parameters: [{ parse: String, brief: "Name of the target, as in the config file", placeholder: "TARGET" }],
} as const;

export const logFlags = {
  logFormat: {
    kind: "enum",
    values: logFormats,
    brief: "Log lines as JSON or for people",
    default: "auto",
  },
  logLevel: { kind: "enum", values: logLevels, brief: "Least level that is logged", default: "info" },
} as const;

export interface LogFlags {
  readonly logFormat: (typeof logFormats)[number];
  readonly logLevel: (typeof logLevels)[number];
}

export interface Assignment {
  readonly name: string;
  readonly value: string;
}

export function parseAssignment(text: string): Assignment {
  const at = text.indexOf("=");
  if (at < 1) throw new SyntaxError(`expected NAME=VALUE, not "${text}"`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

export function variables(assignments: readonly Assignment[] | undefined): Record<string, string> {
  return Object.fromEntries((assignments ?? []).map(({ name, value }) => [name, value]));
}
