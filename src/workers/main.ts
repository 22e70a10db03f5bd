/** The program of a worker: started by the owner of machines, with a channel to it, and nothing without. */
import { startIsOver } from "../util/lean-start.ts";
import "../util/native-ciphers.ts";
import { systemClock } from "../util/clock.ts";
import type { ToOwner, ToWorker } from "./messages.ts";
import { createWorker } from "./worker.ts";

process.title = "lazyssh worker";

for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
// Terminals and service managers signal all processes; the owner decides what that means, and says so.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
// The owner is gone, and with it all leases of machines.
process.on("disconnect", () => process.exit());

/** To be ready. */
const START_MS = 1_000;

/** A channel that is closed just now: the end comes by itself. */
const ignore = (): void => undefined;

const send = (message: ToOwner): void => {
  if (process.connected) process.send?.(message, undefined, undefined, ignore);
};

const onClosed = (): void => {
  // What was sent before is on its way when this is.
  process.send?.({ type: "room", room: false } satisfies ToOwner, undefined, undefined, () => process.exit());
};

void systemClock.sleep(START_MS).then(startIsOver);

const worker = createWorker({ send, clock: systemClock, onClosed });
process.on("message", (message, handle: unknown) => worker(message as ToWorker, handle));
