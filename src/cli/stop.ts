import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type ServerFlags, serverFlags, targetParameter } from "./flags.ts";

export interface StopFlags extends ServerFlags {
  readonly cut: boolean;
}

export const stopCommand = buildCommand<StopFlags, [string], CliContext>({
  docs: {
    brief: "Have the running server stop a machine that no connection needs",
    fullDescription:
      "Takes back what lazyssh start gave, and does not wait for the linger time. Connections keep their machine,\n" +
      "unless --cut is given.\n" +
      "Exit codes: 0 it is being stopped, or there is none, 1 connections keep it or no server answers, 2 usage or config.",
  },
  parameters: {
    flags: {
      ...serverFlags,
      cut: {
        kind: "boolean",
        brief: "End the connections that use it, too",
        default: false,
        withNegated: false,
      },
    },
    positional: targetParameter,
    aliases: { c: "config" },
  },
  loader: async () => (await import("./stop-run.ts")).stop,
});
