import type { Targets } from "../targets/lease.ts";
import type { ClientSide } from "./channel.ts";
import type { Identity } from "./identity.ts";
import type { Limits } from "./limits.ts";
import { objectionTo } from "./permissions.ts";
import { printable, type Refusal, refusal } from "./refusal.ts";
import type { Destination } from "./route.ts";
import type { Sockets } from "./sockets.ts";
import type { WindowBudget } from "./window-budget.ts";

/** What decides whether a channel may be opened. */
export interface Admission {
  readonly identity: Identity;
  readonly targets: Targets;
  readonly limits: Limits;
  readonly sockets: Sockets;
  /** What clients may send before it is taken, on all channels of all connections. */
  readonly windows: WindowBudget;
  /** Why no channel may be opened any more; undefined as long as they may. */
  readonly refusing: () => string | undefined;
  /** Why this client would not be let in any more; undefined as long as it would. */
  readonly expelled: () => string | undefined;
}

/** What speaks against a channel of any kind on a connection that has so many. */
export function objectionToChannel(
  client: ClientSide,
  channels: number,
  { refusing, expelled, limits }: Admission,
): Refusal | undefined {
  const why = refusing();
  if (why !== undefined) return refusal("SHUTTING_DOWN", why);
  const gone = expelled();
  if (gone !== undefined) return refusal("NOT_PERMITTED", gone);
  if (client.maxPacket === 0) return refusal("BAD_REQUEST", "the client takes no data at all");
  if (channels < limits.channels) return undefined;
  return refusal("RESOURCE_SHORTAGE", `this connection has ${channels} channels, more are not allowed`);
}

/** What speaks against a tunnel before any machine is asked for. */
export function objectionToTunnel(
  { target, port }: Destination,
  { identity, targets, windows, sockets }: Admission,
): Refusal | undefined {
  if (target !== printable(target)) {
    return refusal(
      "UNKNOWN_TARGET",
      `"${printable(target)}" with other than printable characters is no target`,
    );
  }
  if (port === 0 || port > 65_535) {
    return refusal("BAD_REQUEST", `${target}: there is no port ${port}, they are 1 to 65535`);
  }
  const forbidden = objectionTo(identity, { target, port });
  if (forbidden !== undefined) return refusal("NOT_PERMITTED", forbidden);
  const ports = targets.portsOf(target);
  if (ports && !ports.includes(port)) {
    const those = ports.length === 1 ? `only port ${ports[0]} may` : `these may: ${ports.join(", ")}`;
    return refusal(
      "NOT_PERMITTED",
      `${target}: port ${port} may not be reached through this jump host, ${those}`,
    );
  }
  if (windows.exhausted()) {
    return refusal(
      "RESOURCE_SHORTAGE",
      "the jump host has no memory left for more channels: try again later",
    );
  }
  if (sockets.roomForTarget) return undefined;
  return refusal(
    "RESOURCE_SHORTAGE",
    "the jump host has as many connections as its limit of open files allows: raise it (LimitNOFILE, ulimit -n), or try again later",
  );
}
