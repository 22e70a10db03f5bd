import type { ReplicateJob } from "../config/index.ts";
import { runToEnd } from "../replicate/ssh/run.ts";
import type { Clock } from "../util/clock.ts";
import { deadline } from "../util/deadline.ts";
import { matchesGlob } from "../util/glob.ts";

export interface JumpOptions {
  /** Addresses of the file's targets, those of families with their wildcards. */
  readonly targets: readonly string[];
  /** Of the file's server. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

const ANSWER_MS = 10_000;
const EVERYWHERE = ["", "0.0.0.0", "::"];

/**
 * A target of the same file is reached through the server of that file, unless the job or the ssh config says how: then nothing has to
 * be said twice.
 */
export async function withOwnJump(job: ReplicateJob, options: JumpOptions): Promise<ReplicateJob> {
  const { targets, listen } = options;
  const host = job.target.slice(job.target.lastIndexOf("@") + 1);
  if (!listen || job.ssh.jump !== undefined || !targets.some((target) => matchesGlob(target, host)))
    return job;
  if (await hasWayOfItsOwn(job, options)) return job;
  const where = EVERYWHERE.includes(listen.host) ? "localhost" : listen.host;
  const name = where.includes(":") ? `[${where}]` : where;
  return { ...job, ssh: { ...job.ssh, jump: `jump@${name}:${listen.port}` } };
}

/** As `ssh -G` tells. One that does not tell is asked no more here: the run itself will say what is wrong with it. */
async function hasWayOfItsOwn({ ssh, target }: ReplicateJob, { env, clock }: JumpOptions): Promise<boolean> {
  const argv = [
    ssh.program,
    "-G",
    ...(ssh.config === undefined ? [] : ["-F", ssh.config]),
    ...(ssh.user === undefined ? [] : ["-l", ssh.user]),
    ...(ssh.port === undefined ? [] : ["-p", String(ssh.port)]),
    ...ssh.options.flatMap((option) => ["-o", option]),
    "--",
    target,
  ];
  using limit = deadline(clock, ANSWER_MS, () => new Error("no answer"));
  try {
    const { status, stdout } = await runToEnd(argv, { signal: limit.signal }, { clock, env });
    return status !== 0 || /^proxy(?:jump|command) (?!none$)/m.test(stdout);
  } catch {
    return false;
  }
}
