import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "./context.ts";
import {
  allFlag,
  jobsFileFlag,
  jsonFlag,
  type ReachFlags,
  reachAliases,
  reachFlags,
  replicateStateFlag,
  type SendFlags,
  sendFlags,
  textFlag,
} from "./replicate-flags.ts";

export interface ReplicateFlags extends ReachFlags, SendFlags {
  readonly name?: string;
  readonly all?: boolean;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly yesRollback: boolean;
  readonly yesDestroyTarget: boolean;
}

const words = {
  kind: "array",
  parameter: {
    parse: String,
    brief: "Jobs of the file, or SRC TARGET:DST, or TARGET:SRC DST",
    placeholder: "JOB",
  },
} as const;
const job = {
  kind: "array",
  parameter: { parse: String, brief: "Job of the file; none: the only one", placeholder: "JOB" },
} as const;
const no = (brief: string) => ({ kind: "boolean", brief, default: false, withNegated: false }) as const;

const runCommand = buildCommand<ReplicateFlags, readonly string[], CliContext>({
  docs: {
    brief: "Send ZFS snapshots to a machine that exists only while they are sent",
    fullDescription:
      "Runs jobs of a config file, one after the other, or one that is given by flags alone:\n" +
      "  lazyssh replicate [--config FILE] JOB...\n" +
      "  lazyssh replicate SRC TARGET:DST [-J lazyssh] [-r]     from here to the machine\n" +
      "  lazyssh replicate TARGET:SRC DST                       from the machine to here\n" +
      "TARGET is what stands before the first colon when no slash is before it, and is given to ssh. SRC is received as DST itself.\n" +
      "Other commands: lazyssh replicate check, history, restore; each has --help.\n" +
      "Nothing over there is destroyed or rolled back unless a flag or a keep block says so.\n" +
      "Exit codes: 0 ok, 1 failed, 2 usage or config, 3 partial, 4 refused, 5 running already, 6 stale. Of several jobs the worst:\n" +
      "failed, refused, stale, partial, running.",
  },
  parameters: {
    flags: {
      ...reachFlags,
      ...sendFlags,
      name: textFlag("Name of a job that is given by flags: its lock and its holds go by it", "NAME"),
      all: allFlag,
      json: jsonFlag("Print the report as JSON on standard output, one line for each job"),
      dryRun: no("Say what would be done, with the commands; starts no machine, changes nothing"),
      yesRollback: no("Take the receiving side back to the newest common snapshot where it was changed"),
      yesDestroyTarget: no("Destroy what is received anew because nothing is in common"),
    },
    positional: words,
    aliases: { ...reachAliases, r: "recursive" },
  },
  loader: async () => (await import("./replicate-run.ts")).replicate,
});

export interface CheckJobsFlags extends ReachFlags {
  readonly maxAge?: string;
  readonly offline: boolean;
  readonly all?: boolean;
  readonly json: boolean;
}

const checkCommand = buildCommand<CheckJobsFlags, readonly string[], CliContext>({
  docs: {
    brief: "Say whether what was received is young enough",
    fullDescription:
      "Looks at the snapshots on the receiving side, which boots the machine when that is where they are; before and after of the\n" +
      "job are run, nothing is sent. With --offline it goes by what the last verified run has left, and boots nothing.\n" +
      "Exit codes: 0 fresh, 1 could not be told, 2 usage or config, 6 stale.",
  },
  parameters: {
    flags: {
      ...reachFlags,
      maxAge: textFlag("How old the newest snapshot may be (default: max_age of the job)", "TIME"),
      offline: no("By the last verified run, without the machine"),
      all: allFlag,
      json: jsonFlag("Print what was found as JSON on standard output, one line for each job"),
    },
    positional: job,
    aliases: reachAliases,
  },
  loader: async () => (await import("./replicate-check-run.ts")).checkJobs,
});

export interface HistoryFlags {
  readonly config?: string;
  readonly stateDir?: string;
  readonly limit: number;
  readonly json: boolean;
}

const historyCommand = buildCommand<HistoryFlags, [string?], CliContext>({
  docs: {
    brief: "Show earlier runs, the newest last",
    fullDescription:
      "Of one job, or of all that have run with this state directory, those that flags gave among them.\n" +
      "Exit codes: 0 shown, 2 usage, or nothing is known of the job.",
  },
  parameters: {
    flags: {
      config: { ...jobsFileFlag, hidden: true },
      stateDir: replicateStateFlag,
      limit: {
        kind: "parsed",
        parse: parseLimit,
        brief: "At most so many of each job, of the 1000 that are kept",
        placeholder: "N",
        default: "20",
      },
      json: jsonFlag("Print each run as it was reported, as a line of JSON"),
    },
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, brief: "Name of the job; none: all", placeholder: "JOB", optional: true },
      ],
    },
    aliases: { c: "config" },
  },
  loader: async () => (await import("./replicate-history-run.ts")).history,
});

export interface RestoreFlags extends ReachFlags {
  readonly snapshot?: string;
  readonly to?: string;
  readonly timeout?: string;
  readonly json: boolean;
  readonly yesDestroyTarget: boolean;
}

const restoreCommand = buildCommand<RestoreFlags, readonly string[], CliContext>({
  docs: {
    brief: "Bring back what a job has sent, as a new dataset",
    fullDescription:
      "The reverse way of a job: one snapshot of its destination, and of all below it when the job is recursive, is sent in full,\n" +
      "read back, and left unmounted; it says how to mount it. Nothing of the replica is changed, and no report is sent to hooks.\n" +
      "An existing dataset is never touched. With --yes-destroy-target it is renamed, and destroyed with all its snapshots and\n" +
      "children once what was restored in its place is verified.\n" +
      "Exit codes: 0 restored and verified, 1 failed, 2 usage or config, 3 partial, 4 refused, 5 the job is running.",
  },
  parameters: {
    flags: {
      ...reachFlags,
      snapshot: textFlag(
        "Name of the snapshot, what stands after the @ (default: the newest there is)",
        "NAME",
      ),
      to: textFlag("Dataset that is made (default: the source of the job, if there is none now)", "DATASET"),
      timeout: textFlag("How long it may take (default: that of the job)", "TIME"),
      json: jsonFlag("Print the report as JSON on standard output"),
      yesDestroyTarget: no("Put it in the place of a dataset that exists, and destroy that in the end"),
    },
    positional: job,
    aliases: reachAliases,
  },
  loader: async () => (await import("./replicate-restore-run.ts")).restore,
});

function parseLimit(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1)
    throw new SyntaxError(`expected a whole number from 1, not "${text}"`);
  return Number(text);
}

/** With a space, so that it is no word that anybody types, and no name of a job. */
const ALONE = "a run";

export const replicateRoutes = buildRouteMap({
  routes: { [ALONE]: runCommand, check: checkCommand, history: historyCommand, restore: restoreCommand },
  defaultCommand: ALONE,
  docs: {
    brief: "Send ZFS snapshots to a machine that exists only while they are sent",
    hideRoute: { [ALONE]: true },
  },
});
