import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type ServerFlags, serverFlags, targetParameter } from "./flags.ts";

export interface StartFlags extends ServerFlags {
  /** A duration, as typed. */
  readonly for?: string;
  readonly lift: boolean;
}

export const startCommand = buildCommand<StartFlags, [string], CliContext>({
  docs: {
    brief: "Have the running server start a machine and keep it, without a connection",
    fullDescription:
      "Waits until the machine is ready; Ctrl-C takes the start back. Then it is kept until lazyssh stop, or for the time\n" +
      "that --for says, and as long as connections need it. Again, for one that is kept already, changes the time.\n" +
      "Exit codes: 0 ready, 1 failed or no server answers, 2 usage or config.",
  },
  parameters: {
    flags: {
      ...serverFlags,
      for: {
        kind: "parsed",
        parse: String,
        brief: "How long it is kept, such as 2h or 1h30m",
        placeholder: "DURATION",
        optional: true,
      },
      lift: {
        kind: "boolean",
        brief: "Lift budget (until midnight UTC), max_machines, max_lifetime and idle_timeout for it",
        default: false,
        withNegated: false,
      },
    },
    positional: targetParameter,
    aliases: { c: "config" },
  },
  loader: async () => (await import("./start-run.ts")).start,
});
