/**
 * One machine of the dev world: the program that the hypervisor forks for each instance. It is told over IPC what it
 * is, when its port is due to answer, and when to go down; it goes down by itself when the world that made it is gone.
 */
import { createServer } from "node:net";
import { systemClock } from "../../util/clock.ts";
import type { FromGuest, GuestConfig, ToGuest } from "./messages.ts";
import { ProcessGroups } from "./processes.ts";
import { startSshd } from "./sshd.ts";

const ORPHAN_GRACE_MS = 300;

const tell = (message: FromGuest): void => {
  // A world that has vanished hears nothing; its channel closing is what ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
const groups = new ProcessGroups((pid, alive) => tell({ type: "group", pid, alive }));
let config: GuestConfig | undefined;
let stopListening = (): void => undefined;
let opened = false;
let goingDown = false;

function open(): void {
  if (config === undefined || opened || goingDown) return;
  opened = true;
  const { instanceId, address, port, fate } = config;
  const onListening = (): void => {
    process.stdout.write(`${instanceId} listens on ${address}:${port}\n`);
    tell({ type: "listening" });
  };
  if (fate === "silent") {
    const mute = createServer((socket) => socket.on("error", () => socket.destroy()).resume());
    mute.listen(port, address, onListening);
    stopListening = () => mute.close();
  } else {
    const sshd = startSshd(config, groups, onListening);
    stopListening = () => sshd.stopListening();
  }
}

async function goDown(graceMs: number): Promise<void> {
  if (goingDown) return;
  goingDown = true;
  stopListening();
  // The clock's timers keep no process alive; this one has to stay until its processes have ended.
  const awake = createServer().listen(0, "127.0.0.1");
  await groups.end(graceMs, systemClock);
  awake.close();
  process.exit(0);
}

// The world decides when a machine ends, not a Ctrl-C in the terminal that both happen to share.
for (const signal of ["SIGINT", "SIGHUP", "SIGTERM"] as const) process.on(signal, () => undefined);

process.on("disconnect", () => void goDown(ORPHAN_GRACE_MS));
process.on("message", (message: ToGuest) => {
  switch (message.type) {
    case "configure":
      config = message.config;
      break;
    case "open":
      open();
      break;
    case "shutdown":
      void goDown(message.graceMs);
      break;
  }
});
