import { type Clock, systemClock } from "../../util/clock.ts";
import type { Side } from "../side.ts";
import { plainEnv, runToEnd } from "./run.ts";

export interface LocalOptions {
  readonly clock?: Clock;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The side that is here. */
export function localSide({ clock = systemClock, env }: LocalOptions = {}): Side {
  return {
    name: "here",
    remote: false,
    command: (argv) => argv,
    run: (argv, options) => runToEnd(argv, options, { clock, env: plainEnv(env) }),
  };
}
