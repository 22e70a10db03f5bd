import type { CommandContext, StricliProcess } from "@stricli/core";
import type { LogOutput } from "../observe/index.ts";
import type { Clock } from "../util/clock.ts";

/** Everything a command may touch of the world around it; injected, so that tests can hand in their own. */
export interface CliContext extends CommandContext {
  readonly process: StricliProcess & { exitCode?: number | string | null };
  readonly stdout: LogOutput;
  readonly stderr: LogOutput;
  readonly env: Record<string, string | undefined>;
  readonly signals: Pick<NodeJS.EventEmitter, "on" | "off">;
  readonly clock: Clock;
}

/** Exit codes of every command. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;
