import type { Dataset, Features } from "../model.ts";
import type { StreamStep } from "./send.ts";

export interface ReceiveOptions {
  readonly zfs: string;
  readonly step: StreamStep;
  /** Of what is received. */
  readonly kind: Dataset["kind"];
  /** Of the side that receives. */
  readonly target: Features;
}

/**
 * `zfs recv …` for a step. Never `-F`: what is there is not overwritten. What is received for the first time is not mounted, now or at
 * a later import, and is read-only; these properties stay when the receive is interrupted, and through all that follow.
 */
export function receiveArgv({ zfs, step, kind, target }: ReceiveOptions): string[] {
  const safe = step.kind === "full" && target.receiveProperties;
  return [
    zfs,
    "recv",
    "-u",
    ...(target.resume ? ["-s"] : []),
    ...(safe ? propertiesOf(kind).flatMap((property) => ["-o", property]) : []),
    // A volume has none.
    ...(safe && kind === "filesystem" ? ["-x", "mountpoint"] : []),
    step.target,
  ];
}

/** What has to be run after a first receive, in order, where `recv` cannot set properties. A snapshot is no use before that. */
export function afterReceive({ zfs, step, kind, target }: ReceiveOptions): string[][] {
  if (step.kind !== "full" || target.receiveProperties) return [];
  return propertiesOf(kind).map((property) => [zfs, "set", property, step.target]);
}

function propertiesOf(kind: Dataset["kind"]): string[] {
  return kind === "filesystem" ? ["canmount=noauto", "readonly=on"] : ["readonly=on"];
}

/**
 * Lines of a `recv` that has succeeded, and still could not set properties: a delegated user may lack the permission for one, and then
 * the replica may be mounted at the next import.
 */
export function propertiesRefused(stderr: string): string[] {
  return stderr.split("\n").filter((line) => /^cannot receive \S+ property on /.test(line));
}
