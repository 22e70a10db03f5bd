/** What systemd, or who speaks as it does, has told the program in its environment. */
export interface SystemdEnv {
  /** Address of the socket for sd_notify(3). Undefined: nobody wants to know. */
  readonly notifySocket: string | undefined;
  /** Within how many milliseconds it has to say again that it is well. Undefined: it need not. */
  readonly watchdogMs: number | undefined;
  /** File descriptors of sockets to be used instead of `server.listen` (sd_listen_fds(3)). Empty: there are none. */
  readonly sockets: readonly number[];
}

/** SD_LISTEN_FDS_START */
const FIRST_SOCKET = 3;

/**
 * Reads it and takes it out of the environment, so that no program that is started from here takes it as its own.
 *
 * @param pid This process: what was meant for another is left alone.
 */
export function takeSystemdEnv(env: Record<string, string | undefined>, pid: number): SystemdEnv {
  const take = (name: string): string | undefined => {
    const value = env[name];
    delete env[name];
    return value === "" ? undefined : value;
  };
  const isOurs = (owner: string | undefined) => owner === undefined || owner === String(pid);
  const notifySocket = take("NOTIFY_SOCKET");
  const watchdogFor = take("WATCHDOG_PID");
  const watchdogUsec = Number(take("WATCHDOG_USEC"));
  const socketsFor = take("LISTEN_PID");
  const count = Number(take("LISTEN_FDS"));
  take("LISTEN_FDNAMES");
  const given = socketsFor === String(pid) && Number.isSafeInteger(count) && count > 0 ? count : 0;
  return {
    notifySocket,
    watchdogMs: isOurs(watchdogFor) && watchdogUsec > 0 ? watchdogUsec / 1_000 : undefined,
    sockets: Array.from({ length: given }, (_, index) => FIRST_SOCKET + index),
  };
}
