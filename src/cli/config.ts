import { type Config, type ConfigResult, loadConfig, renderDiagnostics } from "../config/index.ts";
import type { CliContext } from "./context.ts";
import { type Assignment, variables } from "./flags.ts";

export interface ConfigFlags {
  readonly config: string;
  readonly var?: readonly Assignment[];
}

/** What the config flags name, after every problem with it has been told on standard error. */
export async function readConfigFile(context: CliContext, flags: ConfigFlags): Promise<ConfigResult> {
  const { env, stderr } = context;
  const result = await loadConfig({ file: flags.config, env, vars: variables(flags.var) });
  if (result.diagnostics.length > 0) {
    stderr.write(renderDiagnostics(result.diagnostics, result.sources, { color: stderr.isTTY === true }));
  }
  return result;
}

/** The config, or undefined after every problem with it has been told on standard error. */
export async function readConfig(context: CliContext, flags: ConfigFlags): Promise<Config | undefined> {
  return (await readConfigFile(context, flags)).config;
}
