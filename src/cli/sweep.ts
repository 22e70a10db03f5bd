import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type Assignment, configFlag, stateDirFlag, varFlag } from "./flags.ts";

export interface SweepFlags {
  readonly config: string;
  readonly var?: readonly Assignment[];
  readonly stateDir?: string;
  readonly dryRun: boolean;
}

export const sweepCommand = buildCommand<SweepFlags, [], CliContext>({
  docs: {
    brief: "End every machine that this server has started, without a running server",
    fullDescription:
      "Lists what runs in the cloud with this server's mark (tag lazyssh:owner, kept in the state directory), ends it,\n" +
      "and waits until the cloud shows it gone. Never touches anything without that mark.\n" +
      "Refused while a server uses the state directory: that one looks after its machines itself.\n" +
      "Exit codes: 0 nothing runs any more (with --dry-run: listed), 1 failed, 2 usage or config.",
  },
  parameters: {
    flags: {
      config: configFlag,
      var: varFlag,
      stateDir: stateDirFlag,
      dryRun: { kind: "boolean", brief: "Only list what would be ended", default: false, withNegated: false },
    },
    aliases: { c: "config", n: "dryRun" },
  },
  loader: async () => (await import("./sweep-run.ts")).sweep,
});
