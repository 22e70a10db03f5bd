import type { UserCommand } from "../../config/access.ts";

const COMMANDS: Readonly<Record<UserCommand, string>> = {
  status: "status [--json] [--no-volumes]   machines, who uses them, what they wait for, volumes, costs",
  start:
    "start TARGET [--for DURATION]    have a machine started and kept, without a connection; for 2h, say",
  stop: "stop TARGET [--cut]              take that back; --cut (or --now) ends your connections, too",
};

/** What somebody may ask for, as lines. */
export function helpLines(commands: readonly UserCommand[]): string[] {
  return [
    "This is a jump host: ssh -J lazyssh TARGET goes through it, and has the machine started if need be.",
    "By hand: ssh lazyssh COMMAND, where COMMAND is",
    "",
    ...commands.map((command) => `  ${COMMANDS[command]}`),
    "  help                             this",
    ...(commands.includes("start")
      ? ["", "Limits can be lifted on the server itself only: lazyssh start TARGET --lift."]
      : []),
  ];
}
