import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { end } from "./peers.ts";
import type { Order } from "./pump.ts";

/** The far ends, in one process; each order opens a port. */
export interface Ends extends AsyncDisposable {
  port(order: Order): Promise<number>;
}

export function startEnds(): Ends {
  const child: ChildProcess = fork(fileURLToPath(new URL("./pump.js", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return {
    async port(order) {
      const answered = once(child, "message") as Promise<[{ port: number }]>;
      child.send(order);
      const [{ port }] = await answered;
      return port;
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}
