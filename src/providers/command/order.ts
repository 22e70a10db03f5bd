import type { CommandTarget } from "../../config/types.ts";

/** What is kept of a target with each machine: it is ended as it was ordered, whatever the config says by then. */
export type Commands = Readonly<ReturnType<typeof commandsOf>>;

export function commandsOf({
  start,
  foreground,
  stop,
  status,
  stoppedExitCodes,
  to,
  addressCommand,
  environment,
  workingDirectory,
  startTimeoutMs,
  stopTimeoutMs,
  statusTimeoutMs,
  bootTimeoutMs,
}: CommandTarget) {
  return {
    start,
    foreground,
    stop,
    status,
    stoppedExitCodes,
    to,
    addressCommand,
    environment,
    workingDirectory,
    startTimeoutMs,
    stopTimeoutMs,
    statusTimeoutMs,
    bootTimeoutMs,
  };
}

/** One machine, as it was ordered. Written before anything is done. */
export interface Order {
  readonly id: string;
  /** The launch token. */
  readonly token: string;
  /** Name of the target. */
  readonly target: string;
  /** Of the server that gave the order. Servers of a group have the same tokens. */
  readonly stateDir: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** It ran before, by `status`, and so is not ours to stop. */
  readonly ranBefore: boolean;
  readonly commands: Commands;
}

/** What a machine is called; tokens end in random digits. */
export function idOf(token: string): string {
  return `cmd-${token.slice(-12)}`;
}
