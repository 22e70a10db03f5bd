import { defaulted, optional } from "../decode/row.ts";
import { boolean, no, ok, oneOf, refined, text, wholeNumber } from "../decode/value-type.ts";
import { parseDuration } from "../duration.ts";

const duration = refined(text, "duration", (given) => {
  if (given.trim() === "") return ok(0);
  const result = parseDuration(given);
  return "ms" in result ? ok(result.ms) : no(result.problem);
});

const positiveDuration = refined(duration, "duration", (ms) =>
  ms > 0 ? ok(ms) : no("It must be longer than nothing."),
);

/** 0 stands for "not given" in the configurations of old. */
const port = refined(wholeNumber(0, 65_535), "number", (given) => ok(given === 0 ? 22 : given));

/** What every target that starts machines has. */
export const machineTable = {
  checkPort: defaulted(
    "check_port",
    port,
    22,
    "22",
    "TCP port of the machine that must answer before connections go through.",
  ),
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
};
