import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";

export const demoCommand = buildCommand<{ keep?: string }, [], CliContext>({
  docs: {
    brief: "Show the main job in half a minute: boot, attach, write, tear down, read back",
    fullDescription:
      "Runs the world of lazyssh dev in a temporary folder and uses it with the ssh of this machine.\n" +
      "Exit codes: 0 everything shown really happened, 1 something did not.",
  },
  parameters: {
    flags: {
      keep: {
        kind: "parsed",
        parse: String,
        brief: "Use this folder, and leave it there to look at",
        placeholder: "DIR",
        optional: true,
      },
    },
  },
  loader: async () => (await import("./demo-run.ts")).demo,
});
