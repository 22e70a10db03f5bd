import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { type Stoppable, serveUntilSignal } from "../../src/host/index.ts";
import { SimClock, settled } from "../harness/sim-clock.ts";

/** A server that does what it is told when the test says so, and a terminal. */
function serve({ drains = true, reloads = true, terminal = false } = {}) {
  const signals = new EventEmitter();
  const clock = new SimClock();
  const said: string[] = [];
  const has = { terminal };
  let onClosed: () => void = () => undefined;
  let onDrained: () => void = () => undefined;
  const host: Stoppable = {
    running: () => [],
    close: (signal) => {
      said.push(`close ${signal}`);
      return new Promise((resolve) => {
        onClosed = resolve;
      });
    },
    abandon: () => void said.push("abandon"),
    ...(drains && {
      drain: (signal, hurry) => {
        said.push(`drain ${signal}`);
        return new Promise((resolve) => {
          onDrained = resolve;
          hurry.addEventListener("abort", () => {
            said.push("hurry");
            resolve();
          });
        });
      },
    }),
  };
  const code = serveUntilSignal({
    start: async () => host,
    signals,
    onStarted: () => said.push("started"),
    onAbandon: () => said.push("say what runs"),
    hangup: reloads
      ? { clock, reload: () => said.push("reload"), hasTerminal: () => has.terminal }
      : undefined,
  });
  return {
    said,
    code,
    has,
    clock,
    signal: async (name: string) => {
      await settled();
      signals.emit(name, name);
      await settled();
    },
    drained: async () => {
      onDrained();
      await settled();
    },
    closed: () => onClosed(),
  };
}

describe("SIGTERM", () => {
  it("lets the channels end, and then stops the machines", async () => {
    const { signal, said, drained, closed, code } = serve();
    await signal("SIGTERM");
    expect(said).toEqual(["started", "drain SIGTERM"]);
    await drained();
    expect(said.at(-1)).toBe("close SIGTERM");
    closed();
    expect(await code).toBe(0);
  });

  it.each(["SIGTERM", "SIGINT"])(
    "and %s do not wait for the channels; a third leaves the machines",
    async (another) => {
      const { signal, said, code } = serve();
      await signal("SIGTERM");
      await signal(another);
      expect(said.slice(1)).toEqual(["drain SIGTERM", "hurry", "close SIGTERM"]);
      await signal(another);
      expect(said.slice(4)).toEqual(["say what runs", "abandon"]);
      expect(await code).toBe(1);
    },
  );

  it("after the channels have ended, the next signal leaves the machines", async () => {
    const { signal, said, drained, code } = serve();
    await signal("SIGTERM");
    await drained();
    await signal("SIGTERM");
    expect(said.slice(1)).toEqual(["drain SIGTERM", "close SIGTERM", "say what runs", "abandon"]);
    expect(await code).toBe(1);
  });
});

describe("SIGINT", () => {
  it("waits for no channel", async () => {
    const { signal, said, closed, code } = serve();
    await signal("SIGINT");
    expect(said.slice(1)).toEqual(["close SIGINT"]);
    closed();
    expect(await code).toBe(0);
  });
});

describe("SIGHUP", () => {
  it("has the config read again, every time, where there is no terminal", async () => {
    const { signal, said, clock } = serve();
    await signal("SIGHUP");
    await signal("SIGHUP");
    await clock.advance(10_000);
    expect(said).toEqual(["started", "reload", "reload"]);
  });

  it("has it read again as long as the terminal is there", async () => {
    const { signal, said, clock } = serve({ terminal: true });
    await signal("SIGHUP");
    await clock.advance(10_000);
    expect(said).toEqual(["started", "reload"]);
  });

  it("ends when the terminal has been closed", async () => {
    const { signal, said, has } = serve({ terminal: true });
    has.terminal = false;
    await signal("SIGHUP");
    expect(said).toEqual(["started", "close SIGHUP"]);
  });

  it("ends when the terminal is closed right after, as when a shell ends that tells its jobs", async () => {
    const { signal, said, has, clock } = serve({ terminal: true });
    await signal("SIGHUP");
    has.terminal = false;
    await clock.advance(1_000);
    expect(said).toEqual(["started", "reload", "close SIGHUP"]);
  });

  it("does not leave machines that are being stopped", async () => {
    const { signal, said, has, closed, code } = serve({ terminal: true });
    await signal("SIGINT");
    has.terminal = false;
    await signal("SIGHUP");
    expect(said).toEqual(["started", "close SIGINT"]);
    closed();
    expect(await code).toBe(0);
  });

  it("ends what has no config to be read again", async () => {
    const { signal, said } = serve({ reloads: false });
    await signal("SIGHUP");
    expect(said).toEqual(["started", "close SIGHUP"]);
  });
});
