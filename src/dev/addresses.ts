import { createServer } from "node:net";
import type { AddressPlan } from "./cloud/cloud.ts";

/**
 * Whether guests can have addresses of their own. Linux answers on all of 127.0.0.0/8; elsewhere only 127.0.0.1 is
 * configured, and then there is room for one guest at a time.
 */
export function planAddresses(): Promise<AddressPlan> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve({ kind: "single" }));
    probe.listen(0, "127.64.0.1", () => probe.close(() => resolve({ kind: "pool" })));
  });
}
