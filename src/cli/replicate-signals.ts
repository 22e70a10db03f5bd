import type { CliContext } from "./context.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Told extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Resolves at the second. */
  readonly twice: Promise<"twice">;
}

/** A signal ends a run in order: the machine is let go, and the report is made. A second one does not wait for that. */
export function listenForEnd({ signals, stderr }: Pick<CliContext, "signals" | "stderr">): Told {
  const controller = new AbortController();
  let second: () => void = () => undefined;
  const twice = new Promise<"twice">((resolve) => {
    second = () => resolve("twice");
  });
  const onSignal = (name: string) => {
    if (controller.signal.aborted) {
      stderr.write(
        "lazyssh: told twice to end: the machine is left to the jump host, which ends it as nobody uses it\n",
      );
      second();
      return;
    }
    stderr.write(`lazyssh: ${name}: letting the machine go; once more to end at once\n`);
    controller.abort(new Error(name));
  };
  for (const name of SIGNALS) signals.on(name, onSignal);
  return {
    signal: controller.signal,
    twice,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) signals.off(name, onSignal);
    },
  };
}
