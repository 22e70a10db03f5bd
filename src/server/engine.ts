import type { EventStream } from "../observe/events.ts";
import { nativeCiphersLeftOut } from "../util/native-ciphers.ts";
import { HYBRID_KEX, hasHybridKex } from "./hybrid-kex.ts";
import { hasNativeCiphers } from "./wire.ts";

/** Says what this Node lacks for the best ciphers and key exchanges. */
export function reportEngine(events: EventStream): void {
  if (!hasNativeCiphers) {
    const what = nativeCiphersLeftOut()
      ? "ssh2's native ciphers are left out, because they were compiled with headers that make them abort this Node"
      : "ssh2's native ciphers are missing";
    const remedy = nativeCiphersLeftOut()
      ? "compile them with Node 24.18, later ones can use that"
      : "run `npm rebuild ssh2` with a C++ compiler";
    events.emit({
      type: "server.warning",
      reason: `${what}, every byte costs a third more CPU: ${remedy}`,
    });
  }
  if (!hasHybridKex) {
    const here = `this is Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`;
    const reason = `no post-quantum key exchange (${HYBRID_KEX}), which a current ssh warns about: Node 24.7 or later with OpenSSL 3.5 brings it, ${here}`;
    events.emit({ type: "server.notice", reason });
  }
}
