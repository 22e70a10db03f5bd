import type { Config, MachineTargetConfig } from "../config/index.ts";
import { createProvider } from "../providers/index.ts";
import {
  chooseStateDir,
  createJournal,
  createSweep,
  type OwnMachine,
  openStateDir,
  ownerMark,
  remote,
  type StateDir,
  serverId,
  stateDirOf,
} from "../targets/index.ts";
import { stayAlive } from "../util/clock.ts";
import { deadline } from "../util/deadline.ts";
import { formatDuration } from "../util/duration.ts";
import { asLazysshError, LazysshError, messageOf } from "../util/errors.ts";
import { readConfig } from "./config.ts";
import { type CliContext, exitCodes } from "./context.ts";
import type { SweepFlags } from "./sweep.ts";

/** A sweep by a timer must not go on for ever; what is left is swept by the next one. */
const LIMIT_MS = 15 * 60_000;

export async function sweep(this: CliContext, flags: SweepFlags): Promise<void> {
  const config = await readConfig(this, flags);
  if (!config) {
    this.process.exitCode = exitCodes.usage;
    return;
  }
  using _alive = stayAlive();
  try {
    const choice = chooseStateDir({ flag: flags.stateDir, config: config.server.stateDir }, this.env);
    // Just the one: another one that is free has another mark, and would find nothing although machines run.
    const stateDir = await openStateDir(await stateDirOf(choice, config.file), config.file);
    try {
      const left = await sweepAll(this, config, stateDir, flags.dryRun);
      this.process.exitCode = left === 0 ? exitCodes.ok : exitCodes.failed;
    } finally {
      await stateDir.close();
    }
  } catch (cause) {
    const error = asLazysshError(cause);
    this.stderr.write(`lazyssh: ${error.message}\n`);
    this.process.exitCode = error.code === "CONFIG_INVALID" ? exitCodes.usage : exitCodes.failed;
  }
}

const ENDED = {
  gone: "is gone",
  rests: "is stopped, and rests",
  left: "is used by another server of the group, and left to it",
};

/** Answers how many could not be ended. */
async function sweepAll(
  { clock, stdout, stderr }: CliContext,
  config: Config,
  stateDir: StateDir,
  dryRun: boolean,
): Promise<number> {
  const late = () => new LazysshError("NOT_READY", `not all gone within ${formatDuration(LIMIT_MS)}`);
  using limit = deadline(clock, LIMIT_MS, late);
  const work = createSweep({
    targets: config.targets.filter((target): target is MachineTargetConfig => target.type !== "forward"),
    provider: (target) =>
      createProvider(target, {
        owner: ownerMark(stateDir, config.server.group),
        stateDir: stateDir.path,
      }),
    journal: createJournal(stateDir.path),
    clock,
    remote,
    server: serverId(stateDir),
    group: config.server.group,
    signal: limit.signal,
  });
  const { own: found, others } = await work.find();
  for (const other of others)
    stderr.write(`${describe(other)}: used by another server of the group, and left to it\n`);
  if (found.length === 0) stdout.write("nothing that this server has started is running\n");
  for (const own of found) stdout.write(`${describe(own)}\n`);
  if (dryRun) return 0;

  let left = 0;
  for (const own of found) {
    try {
      const ended = await work.end(own, {
        waiting: (what) => stderr.write(`waiting for ${what}\n`),
        failing: (error, remedy) => stderr.write(`${error.message}\nTrying again. By hand: ${remedy}\n`),
      });
      stdout.write(`${own.machine ?? own.token} ${ENDED[ended]}\n`);
    } catch (error) {
      left += 1;
      stderr.write(`lazyssh: ${messageOf(error)}\n`);
    }
  }
  return left;
}

function describe({ machine, token, target, phase }: OwnMachine): string {
  return `${machine ?? `an order without an answer (client token ${token})`}, target ${target}, ${phase}`;
}
