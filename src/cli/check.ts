import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type Assignment, configFlag, varFlag } from "./flags.ts";

export interface CheckFlags {
  readonly config: string;
  readonly var?: readonly Assignment[];
  readonly json: boolean;
  readonly online: boolean;
}

export const checkCommand = buildCommand<CheckFlags, [], CliContext>({
  docs: {
    brief: "Check a config file and tell everything that is wrong with it",
    fullDescription:
      "Reads the file as the server would, without starting anything. With --online it asks the cloud, too, for what would\n" +
      "make a start fail: credentials, permissions, images, zones.\n" +
      "Exit codes: 0 valid (warnings allowed), 2 not valid, or a start would fail.",
  },
  parameters: {
    flags: {
      config: configFlag,
      var: varFlag,
      json: {
        kind: "boolean",
        brief: "Print the diagnostics as JSON on standard output, as terraform validate -json does",
        default: false,
        withNegated: false,
      },
      online: {
        kind: "boolean",
        brief: "Ask the cloud whether machines could be started; starts none",
        default: false,
        withNegated: false,
      },
    },
    aliases: { c: "config" },
  },
  loader: async () => (await import("./check-run.ts")).check,
});
