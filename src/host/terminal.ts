import { closeSync, constants, openSync } from "node:fs";

/**
 * Whether the process has a controlling terminal. One that was closed is had no longer: the kernel takes it from all processes
 * of its session when it hangs them up (SIGHUP).
 */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
