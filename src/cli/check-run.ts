import { type Config, diagnosticsToJson, loadConfig, renderDiagnostics } from "../config/index.ts";
import { createProvider } from "../providers/index.ts";
import { stayAlive } from "../util/clock.ts";
import type { CheckFlags } from "./check.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { variables } from "./flags.ts";
import { checkOnline } from "./online.ts";

export async function check(this: CliContext, flags: CheckFlags): Promise<void> {
  const { env, stdout, stderr, clock } = this;
  const { config, sources, ...offline } = await loadConfig({
    file: flags.config,
    env,
    vars: variables(flags.var),
  });
  using _alive = stayAlive();
  const online =
    flags.online && config
      ? await checkOnline(config, {
          provider: (target) => createProvider(target, { owner: "check" }), // starts nothing, so marks nothing
          clock,
        })
      : [];
  const diagnostics = [...offline.diagnostics, ...online];
  const valid = config !== undefined && online.every(({ severity }) => severity !== "error");
  if (flags.json) {
    stdout.write(`${JSON.stringify(diagnosticsToJson(diagnostics, sources), undefined, 2)}\n`);
  } else {
    if (diagnostics.length > 0) {
      stderr.write(renderDiagnostics(diagnostics, sources, { color: stderr.isTTY === true }));
    }
    if (config) stdout.write(`${summary(config)}\n`);
    if (config && flags.online && online.length === 0)
      stdout.write("nothing in the cloud speaks against a start\n");
  }
  this.process.exitCode = valid ? exitCodes.ok : exitCodes.usage;
}

function summary({ file, targets }: Config): string {
  const count = targets.length === 1 ? "1 target" : `${targets.length} targets`;
  const names = targets.length === 0 ? "" : `: ${targets.map((target) => target.name).join(", ")}`;
  return `${file} is valid, ${count}${names}`;
}
