import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { type LogFlags, logFlags } from "./flags.ts";

export interface DevFlags extends LogFlags {
  readonly dir: string;
  readonly server: boolean;
  readonly boot?: string;
}

export const devCommand = buildCommand<DevFlags, [], CliContext>({
  docs: {
    brief: "Run a whole world on this machine, without a cloud account",
    fullDescription:
      "Starts an EC2 API on loopback whose instances are SSH servers on this machine, makes keys, a config and an\n" +
      "ssh config, runs the jump host with them, and stays in the foreground. Volumes live on in DIR.\n" +
      "Then, elsewhere: ssh -F DIR/ssh_config archiver",
  },
  parameters: {
    flags: {
      dir: {
        kind: "parsed",
        parse: String,
        brief: "Where everything is kept (default: lazyssh-dev in the current folder)",
        placeholder: "DIR",
        default: "lazyssh-dev",
      },
      server: {
        kind: "boolean",
        brief: "Run the jump host too; --no-server leaves that to lazyssh serve -c DIR/config.hcl",
        default: true,
      },
      boot: {
        kind: "parsed",
        parse: String,
        brief: "A program that every machine runs when it boots",
        placeholder: "PROGRAM",
        optional: true,
      },
      ...logFlags,
    },
  },
  loader: async () => (await import("./dev-run.ts")).dev,
});
