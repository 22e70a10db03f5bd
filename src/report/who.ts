import type { LeaseStatusLine } from "../targets/by-hand.ts";

/** Who has a lease: `alice from 192.0.2.7:50123`; empty for a person at the controls of the server itself. */
export function whoText({ user, client }: Pick<LeaseStatusLine, "user" | "client">): string {
  return user === undefined ? client : `${user} from ${client}`;
}
