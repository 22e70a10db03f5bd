import type { HostKey, HostKeys } from "./host-keys.ts";
import { MSG, message, type Reader } from "./protocol.ts";
import type { Wire } from "./wire.ts";

/** Names of OpenSSH's PROTOCOL §2.5. */
const ANNOUNCE = "hostkeys-00@openssh.com";
export const PROVE_HOST_KEYS = "hostkeys-prove-00@openssh.com";

/**
 * Tells a client all host keys, and proves those that it does not know, so that it has the next one before the present one
 * goes (OpenSSH's PROTOCOL §2.5; `UpdateHostKeys` of the client).
 */
export interface HostKeyRotation {
  announce(): void;
  /** Answers the global request, of which the name and the wish for an answer have been read. */
  prove(fields: Reader): void;
}

export function createHostKeyRotation(wire: Wire, { keys }: HostKeys): HostKeyRotation {
  let proved = false;

  const signature = (key: HostKey): Buffer => {
    // As in the key exchange, where that was by RSA too.
    const inUse = wire.hostKeyAlgorithm();
    const algorithm = key.algorithms.includes(inUse) ? inUse : key.algorithms[0];
    if (algorithm === undefined) throw new RangeError("a host key without algorithm");
    const data = message(0, PROVE_HOST_KEYS, wire.sessionId(), key.blob).subarray(1);
    return message(0, algorithm, key.sign(algorithm, data)).subarray(1);
  };

  /** Undefined: something else than our keys was asked about, or twice; no client does, and a signature costs time. */
  const asked = (fields: Reader): readonly HostKey[] | undefined => {
    const found = new Set<HostKey>();
    while (!fields.atEnd) {
      const blob = fields.string();
      const key = keys.find((one) => one.blob.equals(blob));
      if (!key || found.has(key)) return undefined;
      found.add(key);
    }
    return found.size > 0 ? [...found] : undefined;
  };

  return {
    announce: () => wire.send(message(MSG.GLOBAL_REQUEST, ANNOUNCE, false, ...keys.map(({ blob }) => blob))),
    prove(fields) {
      const found = proved ? undefined : asked(fields);
      if (!found) return wire.send(message(MSG.REQUEST_FAILURE));
      proved = true;
      wire.send(message(MSG.REQUEST_SUCCESS, ...found.map(signature)));
    },
  };
}
