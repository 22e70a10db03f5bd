import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type ServerFlags, serverFlags } from "./flags.ts";

export interface StatusFlags extends ServerFlags {
  readonly json: boolean;
  readonly volumes: boolean;
}

export const statusCommand = buildCommand<StatusFlags, [], CliContext>({
  docs: {
    brief: "Show what the running server does: machines, who uses them, volumes, costs",
    fullDescription:
      "Asks the server that uses the state directory: the one of --state-dir, else of the config file.\n" +
      "Without a server, lazyssh sweep --dry-run shows what runs in the cloud.\n" +
      "Exit codes: 0 shown, 1 no server answers, 2 usage or config.",
  },
  parameters: {
    flags: {
      ...serverFlags,
      json: {
        kind: "boolean",
        brief: "Print it as JSON, in the shape that docs/operation.md describes",
        default: false,
        withNegated: false,
      },
      volumes: {
        kind: "boolean",
        brief: "Show the volumes; --no-volumes asks the cloud nothing",
        default: true,
      },
    },
    aliases: { c: "config" },
  },
  loader: async () => (await import("./status-run.ts")).status,
});
