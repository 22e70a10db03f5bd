import type { ServerConfig } from "../../config/types.ts";
import type { Identity } from "../identity.ts";
import { type Credential, revocationOf } from "./credential.ts";
import { isOn, nameOf } from "./grant.ts";

/** {@link whyNoMore}, asked anew when the config has become another. */
export function watchStanding(
  identity: Identity,
  shown: Credential,
  config: () => ServerConfig,
): () => string | undefined {
  /** By which it was let in, and those looked at since. */
  let good = config();
  return () => {
    const now = config();
    const why = now === good ? undefined : whyNoMore(identity, shown, now);
    if (why === undefined) good = now;
    return why;
  };
}

/**
 * Why somebody who has logged in opens no more channels, now that the config is another: the user is gone, or what was shown is on none of the
 * user's lines any more, or revoked. Whatever else a login depends on was looked at then. Undefined: they may.
 */
export function whyNoMore(
  { user }: Identity,
  shown: Credential,
  { users, revoked }: Pick<ServerConfig, "users" | "revoked">,
): string | undefined {
  const known = users.find(({ name }) => name === user);
  if (!known) return `user "${user}" is not configured on this jump host any more`;
  const revocation = revocationOf(shown, revoked);
  if (revocation !== undefined) return revocation;
  if (known.keys.some((line) => isOn(line, shown))) return undefined;
  return `${nameOf(shown)} is not authorized for user "${user}" any more`;
}
