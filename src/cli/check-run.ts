import { diagnosticsToJson, loadConfig } from "../config/index.ts";
import type { CheckFlags } from "./check.ts";
import { readConfig } from "./config.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { variables } from "./flags.ts";

export async function check(this: CliContext, flags: CheckFlags): Promise<void> {
  const valid = flags.json ? await checkAsJson(this, flags) : await checkAsText(this, flags);
  this.process.exitCode = valid ? exitCodes.ok : exitCodes.usage;
}

async function checkAsJson(context: CliContext, flags: CheckFlags): Promise<boolean> {
  const result = await loadConfig({ file: flags.config, env: context.env, vars: variables(flags.var) });
  const report = diagnosticsToJson(result.diagnostics, result.sources);
  context.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  return result.config !== undefined;
}

async function checkAsText(context: CliContext, flags: CheckFlags): Promise<boolean> {
  const config = await readConfig(context, flags);
  if (!config) return false;
  const { targets } = config;
  const count = targets.length === 1 ? "1 target" : `${targets.length} targets`;
  const names = targets.length === 0 ? "" : `: ${targets.map((target) => target.name).join(", ")}`;
  context.stdout.write(`${config.file} is valid, ${count}${names}\n`);
  return true;
}
