import { spawn } from "node:child_process";
import { messageOf } from "../util/errors.ts";

/** Tells the service manager how things stand: sd_notify(3). */
export interface Notifier {
  /** Assignments such as `READY=1`, in the order in which they are sent. Never fails. */
  send(...assignments: readonly string[]): void;
  /** Resolves when all is sent. */
  settled(): Promise<void>;
}

export interface NotifierOptions {
  /** Value of NOTIFY_SOCKET. */
  readonly socket: string;
  /** Told once when the service manager cannot be reached. */
  readonly onProblem: (reason: string) => void;
}

/** It waits until what it has sent is taken. */
const SEND_MS = 10_000;

/**
 * By way of systemd-notify(1), for Node has no datagram sockets of the unix kind: some milliseconds for each message, and the unit has to
 * allow it (`NotifyAccess=all`).
 */
export function createNotifier({ socket, onProblem }: NotifierOptions): Notifier {
  let sending: Promise<void> = Promise.resolve();
  let told = false;
  const problem = (why: string): void => {
    if (told) return;
    told = true;
    onProblem(
      `the service manager is not told how lazyssh is: ${why}; systemd-notify has to be on the PATH, and the unit ` +
        "to have NotifyAccess=all, or Type=exec without WatchdogSec",
    );
  };
  return {
    send(...assignments) {
      const text = assignments.map((assignment) => assignment.replace(/[\n\0]/g, " "));
      sending = sending.then(() => run(socket, text)).catch((error: unknown) => problem(messageOf(error)));
    },
    settled: () => sending,
  };
}

function run(socket: string, assignments: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("systemd-notify", ["--", ...assignments], {
      env: { ...process.env, NOTIFY_SOCKET: socket },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: SEND_MS,
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(said.trim() || `systemd-notify ended with ${signal ?? code}`));
    });
  });
}
