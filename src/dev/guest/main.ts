/**
 * One machine of the dev world: the program that the hypervisor forks for each instance. It is told over IPC what it
 * is, when its port is due to answer, and when to go down; it goes down by itself when the world that made it is gone.
 */
import "../../util/native-ciphers.ts";
import { createServer, type Socket } from "node:net";
import { systemClock } from "../../util/clock.ts";
import { boot } from "./boot.ts";
import type { FromGuest, GuestConfig, ToGuest } from "./messages.ts";
import { Port } from "./port.ts";
import { ProcessGroups } from "./processes.ts";
import { createSshd } from "./sshd.ts";

const ORPHAN_GRACE_MS = 300;

const tell = (message: FromGuest): void => {
  // A world that has vanished hears nothing; its channel closing is what ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
const groups = new ProcessGroups((pid, alive) => tell({ type: "group", pid, alive }));
let config: GuestConfig | undefined;
let port: Port | undefined;
/** Whether it has booted so far that its port would answer. */
let booted = false;
/** Whether somebody keeps the port shut. */
let shut = false;
let goingDown = false;

const mute = (socket: Socket): void => void socket.on("error", () => socket.destroy()).resume();

function open(onDone = (): void => undefined): void {
  if (config === undefined || goingDown || shut || !booted || port?.isOpen) {
    onDone();
    return;
  }
  const { instanceId, address, fate } = config;
  port ??= new Port(config, fate === "silent" ? mute : createSshd(config, groups));
  const { port: number } = config;
  port.open(() => {
    process.stdout.write(`${instanceId} listens on ${address}:${number}\n`);
    tell({ type: "listening" });
    onDone();
  });
}

function closePort(): void {
  shut = true;
  port?.close();
  tell({ type: "port-closed" });
  tell({ type: "done" });
}

async function goDown(graceMs: number): Promise<void> {
  if (goingDown) return;
  goingDown = true;
  port?.close();
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
      boot(config, groups);
      break;
    case "open":
      booted = true;
      open();
      break;
    case "close-port":
      closePort();
      break;
    case "open-port":
      shut = false;
      open(() => tell({ type: "done" }));
      break;
    case "shutdown":
      void goDown(message.graceMs);
      break;
  }
});
