import type { Decoder } from "../decode/decoder.ts";
import { defaulted, optional, required, requiredUnless, type Section } from "../decode/row.ts";
import { boolean, listOf, mapOf, no, ok, refined, text, wholeNumber } from "../decode/value-type.ts";
import type { CommandTarget } from "../types.ts";
import { command } from "./before-stop.ts";
import { path, positiveDuration } from "./common.ts";
import { host } from "./forward.ts";
import { machineFields, machineTable } from "./machine.ts";
import { checkMachine } from "./machine-check.ts";

const environment = refined(mapOf(text), "map of strings", (given) => {
  for (const [name, value] of given) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      return no("The name of a variable has letters, digits and underscores, and begins with no digit.");
    if (name.startsWith("LAZYSSH_"))
      return no("Variables whose names begin with that of lazyssh are its own.");
    if (value.includes("\0")) return no("A value cannot have a null character in it.");
  }
  return ok(Object.fromEntries(given));
});

/** Exit code 0 says that the machine runs. */
const exitCodes = refined(listOf(wholeNumber(1, 255)), "list of numbers", (given) =>
  given.length > 0 ? ok(given) : no("Without any, the machine could never be seen to have stopped."),
);

const portMap = refined(mapOf(wholeNumber(1, 65_535)), "map of numbers", (given) => {
  const ports = new Map<number, number>();
  for (const [key, to] of given) {
    const port = Number(key);
    if (!/^\d{1,5}$/.test(key) || port < 1 || port > 65_535)
      return no('A port is a number from 1 to 65535, such as in { "22" = 10022 }.');
    ports.set(port, to);
  }
  return ports.size > 0 ? ok(ports) : no("Without any port nobody could connect: leave it out.");
});

/** `target "…" "command" { … }` */
export const commandTable = {
  start: required("start", command, "command that starts the machine."),
  foreground: defaulted(
    "foreground",
    boolean,
    false,
    "false",
    "whether `start` is the machine: it runs as long as the machine does. Otherwise it ends when the machine was told to start.",
  ),
  stop: optional(
    "stop",
    command,
    "command that has the machine shut down. Required unless `foreground`; without it `start` gets SIGTERM.",
  ),
  status: optional(
    "status",
    command,
    "command that says by its exit code whether the machine runs: 0 it does. Required unless `foreground`.",
  ),
  stoppedExitCodes: defaulted(
    "stopped_exit_codes",
    exitCodes,
    [3],
    "`[3]`",
    "exit codes of `status` that say that the machine does not run. Any other proves nothing.",
  ),
  to: requiredUnless(["address"], "to", host, "host name or IP address of the machine."),
  addressCommand: optional(
    "address",
    command,
    "command that prints the machine's host name or IP address as its first line.",
  ),
  portMap: optional(
    "port_map",
    portMap,
    "which port is connected to instead of one of the machine's; no others can be reached then.",
  ),
  environment: optional(
    "environment",
    environment,
    "variables of the commands, beside those that they always have.",
    { sensitive: true },
  ),
  workingDirectory: optional("working_directory", path, "where the commands are run. Default: `/`."),
  startTimeoutMs: defaulted(
    "start_timeout",
    positiveDuration,
    120_000,
    '"2m"',
    "how long `start` may take, unless `foreground`.",
  ),
  stopTimeoutMs: defaulted(
    "stop_timeout",
    positiveDuration,
    120_000,
    '"2m"',
    "how long `stop` may take, and the machine after it, before that is told.",
  ),
  statusTimeoutMs: defaulted(
    "status_timeout",
    positiveDuration,
    10_000,
    '"10s"',
    "how long `status` and `address` may take.",
  ),
  ...machineTable,
};

export type CommandSection = Section<typeof commandTable>;

/** What is wrong with the arguments though each by itself is right. */
export function checkCommand(section: CommandSection, family: boolean, decoder: Decoder): void {
  checkMachine(section, family, decoder);
  const { values, span, header } = section;
  const { foreground, stop, status, to, addressCommand, portMap: map, ports, checkPort, stopMode } = values;
  const missing = (name: string, why: string) =>
    decoder.error(header, "Missing required argument", `The argument "${name}" is required ${why}`);
  if (!foreground && stop === undefined)
    missing("stop", "unless foreground = true: nothing else could end the machine.");
  if (!foreground && status === undefined)
    missing("status", "unless foreground = true: without it nobody could know that the machine has ended.");
  if (foreground && status !== undefined) {
    const why = "whether start is still there tells whether the machine runs.";
    decoder.warning(
      span("status"),
      "Argument without effect",
      `"status" is not run with foreground = true: ${why}`,
    );
  }
  if (to !== undefined && addressCommand !== undefined) {
    const what = 'Only one of "to" and "address" can be given.';
    decoder.error(span("addressCommand"), "Conflicting configuration arguments", what);
  }
  if (stopMode !== "terminate") {
    const what = `stop_mode = "${stopMode}" is not for targets of type "command": what is left of the machine is up to "stop".`;
    decoder.error(span("stopMode"), "Conflicting configuration arguments", what);
  }
  if (map === undefined) return;
  if (!map.has(checkPort)) {
    const what = `"port_map" has no port ${checkPort}, which is that of "check_port": nobody could know when the machine is ready.`;
    decoder.error(span("portMap"), "Conflicting configuration arguments", what);
  }
  const beyond = ports?.find((port) => !map.has(port));
  if (beyond !== undefined) {
    const what = `Port ${beyond} is not in "port_map", and so cannot be reached.`;
    decoder.error(span("ports"), "Conflicting configuration arguments", what);
  }
}

export function commandTarget(name: string, { values }: CommandSection): CommandTarget {
  const { portMap: map, environment: variables = {}, ...plain } = values;
  return {
    type: "command",
    name,
    ...machineFields(plain),
    environment: variables,
    portMap: map ?? new Map(),
    // What is not mapped would be a port of whatever else has the same address.
    ports: plain.ports ?? (map && [...map.keys()]),
  };
}
