import type { TargetReach } from "../targets/lease.ts";
import { matchesGlob } from "../util/glob.ts";
import type { Identity } from "./identity.ts";

/** What is to be reached; of a machine that is only to be started, no port yet. */
export interface Reach {
  readonly target: string;
  readonly port: number | undefined;
}

/**
 * Why somebody may not reach it, in words for them; undefined when they may. It says nothing of whether there is such a target: names that
 * somebody may not reach are all answered alike.
 */
export function objectionTo(identity: Identity, { target, port }: Reach): string | undefined {
  const { user, certificate, permissions } = identity;
  const { forwarding, targets, permitOpen } = permissions;
  if (!forwarding) {
    return certificate
      ? "your certificate may not open connections (it lacks permit-port-forwarding, or its authority has no-port-forwarding)"
      : "your key may not open connections (no-port-forwarding)";
  }
  if (targets && !isAmong(target, targets)) {
    return `"${target}" is not among the targets that ${user} may reach: ${targets.join(", ") || "there are none"}`;
  }
  if (permitOpen && !opens(permissions, { target, port })) {
    const those = permitOpen.map((one) => `${one.host}:${one.port ?? "*"}`).join(", ");
    const what = port === undefined ? target : `${target}:${port}`;
    return `your key may not reach ${what}, only ${those || "nothing"} (permitopen)`;
  }
  return undefined;
}

/** Whether somebody may know of a target: it can be reached, on some port. */
export function sees(permissions: TargetReach, target: string): boolean {
  const { targets } = permissions;
  return (!targets || isAmong(target, targets)) && opens(permissions, { target, port: undefined });
}

function isAmong(target: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesGlob(pattern, target));
}

/** As sshd reads `permitopen`: hosts are no patterns, but `*` alone is any. */
function opens({ permitOpen }: TargetReach, { target, port }: Reach): boolean {
  if (!permitOpen) return true;
  return permitOpen.some(
    (one) =>
      (one.host === "*" || one.host === target) &&
      (one.port === undefined || port === undefined || one.port === port),
  );
}
