import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { Freezer } from "./freezer.ts";
import type { FromGuest, GuestConfig, ToGuest } from "./messages.ts";
import { signalGroup } from "./processes.ts";

/**
 * The program a guest runs: beside this file, compiled as this file is. Node 20 cannot fork TypeScript, so whoever
 * runs from source (the tests) names the compiled one instead.
 */
export const GUEST_PROGRAM = new URL(`./main${extname(import.meta.url)}`, import.meta.url);

const CONSOLE_BYTES = 64 * 1024;

export interface GuestOptions {
  readonly program: URL;
  readonly config: GuestConfig;
  readonly onListening: () => void;
  readonly onPortClosed: () => void;
  /** Called once, when the process has ended, whatever ended it. */
  readonly onExit: () => void;
}

/** The process behind one running instance, seen from the world. */
export class Guest {
  readonly #child: ChildProcess;
  readonly #groups = new Set<number>();
  /** Those who have asked something of its port, in order. */
  #asking: (() => void)[] = [];
  #freezer: Freezer | undefined;
  #console = "";

  constructor({ program, config, onListening, onPortClosed, onExit }: GuestOptions) {
    // The machine gets a bare environment: the user's credentials are not its business.
    const { PATH, SHELL, LANG, TMPDIR } = process.env;
    this.#child = fork(program, [], {
      cwd: config.home,
      env: Object.fromEntries(
        Object.entries({ PATH, SHELL, LANG, TMPDIR }).filter(([, value]) => value !== undefined),
      ),
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.#print(text));
    }
    this.#child.on("message", (message: FromGuest) => {
      if (message.type === "group") this.#group(message.pid, message.alive);
      else if (message.type === "listening") onListening();
      else if (message.type === "port-closed") onPortClosed();
      else this.#asking.shift()?.();
    });
    this.#child.on("error", (error) => this.#print(`${error.message}\n`));
    this.#child.once("exit", (code, signal) => {
      this.#print(`guest ended: ${signal ?? `status ${code}`}\n`);
      this.#freezer?.release();
      this.#killGroups();
      for (const done of this.#asking) done();
      onExit();
    });
    this.#send({ type: "configure", config });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** What the guest has printed, the last 64 KiB of it. */
  get console(): string {
    return this.#console;
  }

  open(): void {
    this.#send({ type: "open" });
  }

  /** Whether it is held still: it hears nothing, and answers nobody. */
  get frozen(): boolean {
    return this.#freezer !== undefined;
  }

  /** Holds it and all it runs still, as a machine that hangs. Its connections stay, and are silent. */
  freeze(): void {
    if (this.#freezer !== undefined || this.#child.pid === undefined) return;
    this.#freezer = new Freezer(this.#child.pid);
    for (const pid of this.#groups) signalGroup(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#groups) signalGroup(pid, "SIGCONT");
    this.#freezer?.thaw();
    this.#freezer = undefined;
  }

  /** Resolves when nothing listens on its port any more, or it has ended. */
  closePort(): Promise<void> {
    return this.#ask({ type: "close-port" });
  }

  /** Resolves when its port listens, or it has ended; at once when its port is not due yet. */
  openPort(): Promise<void> {
    return this.#ask({ type: "open-port" });
  }

  /** Asks it to end its sessions' processes within the grace, and then itself. */
  shutdown(graceMs: number): void {
    this.#send({ type: "shutdown", graceMs });
  }

  /** Ends it at once, and all it runs. */
  kill(): void {
    this.#child.kill("SIGKILL");
    this.#killGroups();
  }

  /** Resolves when the process has ended. */
  ended(): Promise<void> {
    return this.alive
      ? new Promise((resolve) => this.#child.once("exit", () => resolve()))
      : Promise.resolve();
  }

  #ask(message: ToGuest): Promise<void> {
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.#send(message);
    });
  }

  #group(pid: number, alive: boolean): void {
    if (alive) this.#groups.add(pid);
    else this.#groups.delete(pid);
  }

  #killGroups(): void {
    for (const pid of this.#groups) signalGroup(pid, "SIGKILL");
  }

  #send(message: ToGuest): void {
    // One that is going away hears nothing; its exit is what counts.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #print(text: string): void {
    this.#console = (this.#console + text).slice(-CONSOLE_BYTES);
  }
}
