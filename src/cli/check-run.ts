import {
  type AuthorizedKey,
  type Config,
  type Diagnostic,
  diagnosticsToJson,
  loadFile,
  type ReplicateJob,
  renderDiagnostics,
} from "../config/index.ts";
import { createProvider } from "../providers/index.ts";
import { chooseStateDir, knownOwner, ownerMark, stateDirOf } from "../targets/index.ts";
import { stayAlive } from "../util/clock.ts";
import type { CheckFlags } from "./check.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { variables } from "./flags.ts";
import { checkOnline } from "./online.ts";

export async function check(this: CliContext, flags: CheckFlags): Promise<void> {
  const { env, stdout, stderr } = this;
  const { config, jobs, sources, ...offline } = await loadFile({
    file: flags.config,
    env,
    vars: variables(flags.var),
  });
  using _alive = stayAlive();
  const online = flags.online && config ? await askCloud(this, config) : [];
  const diagnostics = [...offline.diagnostics, ...online];
  const valid = jobs !== undefined && online.every(({ severity }) => severity !== "error");
  if (flags.json) {
    stdout.write(`${JSON.stringify(diagnosticsToJson(diagnostics, sources), undefined, 2)}\n`);
  } else {
    if (diagnostics.length > 0) {
      stderr.write(renderDiagnostics(diagnostics, sources, { color: stderr.isTTY === true }));
    }
    if (config) stdout.write(`${summary(config)}\n`);
    else if (jobs) stdout.write(`${flags.config} is valid, ${jobsOf(jobs)}; it has no server\n`);
    if (config && flags.online) stdout.write(`${verdict(online)}\n`);
  }
  this.process.exitCode = valid ? exitCodes.ok : exitCodes.usage;
}

/** With the mark of the server that the file is of, so that its own machines are not taken for somebody else's. */
async function askCloud({ env, clock }: CliContext, config: Config): Promise<readonly Diagnostic[]> {
  const { stateDir, group } = config.server;
  const choice = await stateDirOf(chooseStateDir({ flag: undefined, config: stateDir }, env), config.file);
  const owner = ownerMark({ owner: (await knownOwner(choice)) ?? "nobody yet" }, group);
  return checkOnline(config, {
    provider: (target) => createProvider(target, { owner, stateDir: choice.path }),
    clock,
  });
}

function verdict(online: readonly Diagnostic[]): string {
  if (online.length === 0) return "nothing in the cloud speaks against a start";
  const fails = online.some(({ severity }) => severity === "error");
  return fails ? "a start would fail, see above" : "a start may fail, see above";
}

function jobsOf(jobs: readonly ReplicateJob[]): string {
  return listing(
    jobs.map(({ name }) => name),
    "job",
  );
}

function summary({ file, server, targets, jobs }: Config): string {
  const names = targets.map((target) => target.name);
  const users = server.users.map(({ name, keys }) => `${name} (${keysOf(keys)})`);
  const lines = [`${file} is valid, ${listing(names, "target")}`, listing(users, "user")];
  const open = targets.filter(({ ports }) => ports === undefined).map((target) => target.name);
  if (jobs.length > 0) lines.push(jobsOf(jobs));
  if (open.length > 0) lines.push(`no "ports": connections may reach every port of ${open.join(", ")}`);
  return lines.join("\n");
}

function keysOf(keys: readonly AuthorizedKey[]): string {
  const authorities = keys.filter(({ certAuthority }) => certAuthority).length;
  const own = keys.length - authorities;
  const parts = [
    ...(own > 0 ? [counted(own, "key", "keys")] : []),
    ...(authorities > 0 ? [counted(authorities, "authority", "authorities")] : []),
  ];
  return parts.join(", ");
}

function listing(names: readonly string[], what: string): string {
  const count = counted(names.length, what, `${what}s`);
  return names.length === 0 ? count : `${count}: ${names.join(", ")}`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
