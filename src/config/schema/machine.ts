import { blocks, type Decoded, defaulted, optional, required } from "../decode/row.ts";
import { boolean, decimal, ok, oneOf, refined, wholeNumber } from "../decode/value-type.ts";
import type { MachineTarget } from "../types.ts";
import { beforeStop, beforeStopTable } from "./before-stop.ts";
import { duration, PORTS_DOC, ports, positiveDuration } from "./common.ts";

/** More is a slip of the finger. */
export const MOST_MACHINES = 1000;
export const HOURS_OF_A_DAY = 24;
const HOUR_MS = 3_600_000;

/** 0 stands for "not given" in the configurations of old. */
const port = refined(wholeNumber(0, 65_535), "number", (given) => ok(given === 0 ? 22 : given));

/** `budget { … }` */
export const budgetTable = {
  hoursPerDay: required(
    "hours_per_day",
    decimal({ above: 0, most: HOURS_OF_A_DAY * MOST_MACHINES }),
    "how many hours the machines of the target may run in a day (UTC), all together.",
  ),
};

/** What every target that starts machines has. */
export const machineTable = {
  checkPort: defaulted(
    "check_port",
    port,
    22,
    "22",
    "TCP port of the machine that must answer before connections go through.",
  ),
  ports: optional("ports", ports, PORTS_DOC),
  ready: defaulted(
    "ready",
    oneOf("auto", "ssh", "tcp"),
    "auto",
    '"auto"',
    "what counts as an answer: `ssh` a line `SSH-2.0-…`, `tcp` an accepted connection, `auto` either the line, or, on a port other than 22, a connection that stays open in silence for 15 s.",
  ),
  shared: defaulted(
    "shared",
    boolean,
    true,
    "true",
    "one machine for all connections; with `false` each connection has its own.",
  ),
  lingerMs: defaulted(
    "linger",
    duration,
    0,
    '"0s"',
    "how long the machine is kept after its last connection has ended. Without effect unless `shared`.",
  ),
  bootTimeoutMs: defaulted(
    "boot_timeout",
    positiveDuration,
    300_000,
    '"5m"',
    "how long a start may take, from the order to readiness; then the machine is given up and stopped.",
  ),
  maxLifetimeMs: optional(
    "max_lifetime",
    positiveDuration,
    "how long a machine may serve, whoever uses it; then its connections are ended and it is stopped. Default: as long as it is used.",
  ),
  idleTimeoutMs: optional(
    "idle_timeout",
    positiveDuration,
    "how long no byte may pass over open connections before they are ended and the machine is stopped. Default: for ever.",
  ),
  maxMachines: optional(
    "max_machines",
    wholeNumber(1, MOST_MACHINES),
    "how many machines of the target may exist at once; only with `shared = false`, and for a family. Default: any number.",
  ),
  stopMode: defaulted(
    "stop_mode",
    oneOf("terminate", "stop", "hibernate"),
    "terminate",
    '"terminate"',
    "what becomes of the machine when nobody needs it; with the others its disks are kept and it is started again. They need `shared = true`.",
  ),
  hourlyPrice: optional(
    "hourly_price",
    decimal({ least: 0, most: 1_000_000 }),
    "price of a running machine in US dollars per hour, for `lazyssh status`.",
  ),
  budgets: blocks("budget", budgetTable, "how much the machines of the target may run.", 1),
  beforeStops: blocks(
    "before_stop",
    beforeStopTable,
    "commands that are run on the machine before it is stopped.",
    1,
  ),
};

export type MachineValues = Decoded<typeof machineTable>;

/** The fields of a target as its rows give them, but for those of its blocks. */
export function machineFields<V extends MachineValues>({
  budgets,
  beforeStops,
  ...plain
}: V): Omit<V, "budgets" | "beforeStops"> & Pick<MachineTarget, "budgetMsPerDay" | "beforeStop"> {
  const hours = budgets[0]?.values.hoursPerDay;
  return {
    ...plain,
    budgetMsPerDay: hours === undefined ? undefined : Math.round(hours * HOUR_MS),
    beforeStop: beforeStop(beforeStops),
  };
}
