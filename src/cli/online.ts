import type { Config, Diagnostic, MachineTargetConfig } from "../config/index.ts";
import type { Provider } from "../providers/index.ts";
import type { Clock } from "../util/clock.ts";
import { deadline, unlessAborted } from "../util/deadline.ts";
import { LazysshError, messageOf } from "../util/errors.ts";

/** For all looks at the cloud of one target. */
const LIMIT_MS = 60_000;

export interface OnlineOptions {
  readonly provider: (target: MachineTargetConfig) => Pick<Provider, "preflight">;
  readonly clock: Clock;
}

/** What in the cloud speaks against starts of the targets, as diagnostics without a place in the file. Starts nothing. */
export async function checkOnline(
  { targets }: Config,
  { provider, clock }: OnlineOptions,
): Promise<readonly Diagnostic[]> {
  const machines = targets.filter((target): target is MachineTargetConfig => target.type !== "forward");
  const late = () => new LazysshError("CLOUD_UNREACHABLE", "the cloud did not answer within 60 s");
  const checks = machines.map(async (target): Promise<readonly Diagnostic[]> => {
    using limit = deadline(clock, LIMIT_MS, late);
    try {
      const findings = await unlessAborted(limit.signal, provider(target).preflight(limit.signal));
      return findings.map(({ severity, text }) => diagnostic(target, severity, text));
    } catch (error) {
      return [diagnostic(target, "error", messageOf(error))];
    }
  });
  return (await Promise.all(checks)).flat();
}

function diagnostic(
  { name }: MachineTargetConfig,
  severity: Diagnostic["severity"],
  detail: string,
): Diagnostic {
  const summary =
    severity === "error" ? `Target "${name}" cannot be started` : `Target "${name}" may not start`;
  return { severity, summary, detail, range: undefined };
}
