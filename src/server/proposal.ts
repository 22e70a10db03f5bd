import type { KexInit } from "ssh2/lib/protocol/kex.js";
import type { Offer } from "ssh2/lib/protocol/Protocol.js";
import { offerFor } from "./algorithms.ts";
import type { HostKeys } from "./host-keys.ts";

/** Strict key exchange (OpenSSH's PROTOCOL §1.10). ssh2 adds it only to offers that it makes ready itself. */
const STRICT = "kex-strict-s-v00@openssh.com";

export interface Proposal {
  readonly offer: Offer;
  /** The same, as ssh2 sends it. */
  readonly proposal: KexInit;
}

const known = new WeakMap<HostKeys, Proposal>();

/** What a server with these host keys proposes in a key exchange (RFC 4253 §7.1): made ready once, and the same to every client. */
export function proposalOf(hostKeys: HostKeys, makeReady: (offer: Offer) => KexInit): Proposal {
  const before = known.get(hostKeys);
  if (before) return before;
  const offer = offerFor([...hostKeys.proofs.keys()]);
  const made = { offer, proposal: makeReady({ ...offer, kex: [...offer.kex, STRICT] }) };
  known.set(hostKeys, made);
  return made;
}
