import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type Assignment, configFlag, type LogFlags, logFlags, stateDirFlag, varFlag } from "./flags.ts";

export interface ServeFlags extends LogFlags {
  readonly config: string;
  readonly var?: readonly Assignment[];
  readonly stateDir?: string;
}

export const serveCommand = buildCommand<ServeFlags, [], CliContext>({
  docs: {
    brief: "Run the jump host (the default command)",
    fullDescription:
      "Listens for SSH clients, starts the machine a client asks for, and stops it when nobody needs it.\n" +
      "Follows its config file as it changes; SIGHUP has it read again.\n" +
      "SIGTERM lets connections go on for drain_timeout, then, as SIGINT does at once, stops all machines and ends;\n" +
      "a second one ends at once and says what still runs.\n" +
      "Exit codes: 0 ended and all machines stopped, 1 failed or machines still running, 2 usage or config.",
  },
  parameters: {
    flags: { config: configFlag, var: varFlag, stateDir: stateDirFlag, ...logFlags },
    aliases: { c: "config" },
  },
  loader: async () => (await import("./serve-run.ts")).serve,
});
