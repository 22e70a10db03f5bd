import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/index.ts";

/** What a reload did, in words. */
export interface Reloaded {
  /** "target archiver was added", "user eve was removed" … Empty: nothing is different. */
  readonly changes: readonly string[];
  /** What is different in the file and stays as it was until lazyssh is started again: "listen" … */
  readonly kept: readonly string[];
}

/** What another listener, other processes, another state directory or another owner mark would be needed for. */
const AT_START = {
  listen: "listen",
  stateDir: "state_dir",
  group: "group",
  metrics: "metrics",
  workers: "workers",
} as const;

export function compare(before: Config, after: Config): Reloaded {
  const [was, is] = [before.server, after.server];
  const differs = (key: keyof Config["server"]) => !isDeepStrictEqual(was[key], is[key]);
  const server = {
    hostKeys: "the host keys were changed",
    revoked: "the revocations were changed",
    limits: "the limits were changed",
    drainMs: "drain_timeout was changed",
    maxMachines: "max_machines was changed",
  } as const;
  const keys = Object.keys(server) as (keyof typeof server)[];
  const restart = Object.keys(AT_START) as (keyof typeof AT_START)[];
  return {
    changes: [
      ...named("user", was.users, is.users),
      ...keys.filter(differs).map((key) => server[key]),
      ...named("target", before.targets, after.targets),
    ],
    kept: restart.filter(differs).map((key) => AT_START[key]),
  };
}

/** The config that a running server can have: what is said once, at the start, is as it was. */
export function applicable(before: Config, after: Config): Config {
  const { listen, stateDir, group, metrics, workers } = before.server;
  return { ...after, server: { ...after.server, listen, stateDir, group, metrics, workers } };
}

interface Named {
  readonly name: string;
}

function named(what: string, before: readonly Named[], after: readonly Named[]): string[] {
  const find = (all: readonly Named[], name: string) => all.find((one) => one.name === name);
  const gone = before.filter(({ name }) => !find(after, name));
  const come = after.flatMap((one) => {
    const old = find(before, one.name);
    if (!old) return [`${what} ${one.name} was added`];
    return isDeepStrictEqual(old, one) ? [] : [`${what} ${one.name} was changed`];
  });
  return [...come, ...gone.map(({ name }) => `${what} ${name} was removed`)];
}
