import { matchesGlob } from "../../util/glob.ts";
import type { Decoder } from "../decode/decoder.ts";
import { blocks, defaulted, optional, required, type Section } from "../decode/row.ts";
import { boolean, oneOf, wholeNumber } from "../decode/value-type.ts";
import { DEFAULT_JOB, type Keep, type ReplicateJob } from "../replicate.ts";
import { longDuration } from "./common.ts";
import { intersect } from "./patterns.ts";
import { dataset, datasetGlobs, snapshotGlobs, someSnapshotGlobs } from "./replicate-names.ts";
import { reportSettings, reportTable } from "./replicate-report.ts";
import {
  host,
  jump,
  program,
  rate,
  remoteCommand,
  remoteProgram,
  sshFile,
  sshOptions,
  user,
} from "./replicate-words.ts";

const { snapshots, ssh, send } = DEFAULT_JOB;

const snapshotsTable = {
  include: defaulted(
    "include",
    someSnapshotGlobs,
    snapshots.include,
    '`["*"]`',
    "names of snapshots that are sent.",
  ),
  exclude: defaulted("exclude", snapshotGlobs, snapshots.exclude, "none", "names of those that are not."),
};

const sshTable = {
  program: defaulted("program", program, ssh.program, '"ssh"', "the ssh that is run."),
  config: optional("config", sshFile, "its configuration file, as with `-F`."),
  user: optional("user", user, "who logs in."),
  identity: optional("identity", sshFile, "file of the private key, as with `-i`."),
  jump: optional("jump", jump, "host to go through, as with `-J`."),
  port: optional("port", wholeNumber(1, 65_535), "TCP port of the machine."),
  options: defaulted("options", sshOptions, ssh.options, "none", "what `-o` would give."),
};

const sendTable = {
  raw: optional("raw", boolean, "as it is stored on disk. Default: encrypted datasets only."),
  compress: defaulted(
    "compress",
    oneOf("auto", "zstd", "lz4", "none"),
    send.compress,
    '"auto"',
    "how the stream is compressed on its way.",
  ),
  rateLimit: optional("rate_limit", rate, "bytes a second. Default: as fast as it goes."),
  intermediates: defaulted(
    "intermediates",
    boolean,
    send.intermediates,
    "true",
    "all snapshots since the last run, or only the newest.",
  ),
};

const MOST_KEPT = 100_000;
const kept = (name: string, doc: string) => defaulted(name, wholeNumber(0, MOST_KEPT), 0, "0", doc);

const keepTable = {
  last: kept("last", "the newest snapshots."),
  hourly: kept("hourly", "the newest of each hour."),
  daily: kept("daily", "the newest of each day."),
  weekly: kept("weekly", "the newest of each week."),
  monthly: kept("monthly", "the newest of each month."),
  yearly: kept("yearly", "the newest of each year."),
};

/** `replicate "NAME" { … }` */
export const replicateTable = {
  source: required("source", dataset, "dataset that is sent."),
  target: required("target", host, "the machine, as it is given to `ssh`."),
  destination: required("destination", dataset, "dataset that the source is received as."),
  direction: defaulted(
    "direction",
    oneOf("push", "pull"),
    DEFAULT_JOB.direction,
    '"push"',
    "whether the source is here, or on the machine.",
  ),
  recursive: defaulted(
    "recursive",
    boolean,
    DEFAULT_JOB.recursive,
    "false",
    "with all datasets below the source.",
  ),
  exclude: defaulted(
    "exclude",
    datasetGlobs,
    DEFAULT_JOB.exclude,
    "none",
    "datasets below the source that are left out.",
  ),
  zfs: defaulted("zfs", program, DEFAULT_JOB.zfs, '"zfs"', "`zfs` of this machine."),
  remoteZfs: defaulted(
    "remote_zfs",
    remoteProgram,
    DEFAULT_JOB.remoteZfs,
    '"zfs"',
    "`zfs` of the other machine.",
  ),
  before: optional("before", remoteCommand, "command that is run on the machine once it answers."),
  after: optional(
    "after",
    remoteCommand,
    "command that is run on the machine when all is sent and verified.",
  ),
  bootTimeoutMs: defaulted(
    "boot_timeout",
    longDuration,
    DEFAULT_JOB.bootTimeoutMs,
    '"10m"',
    "how long the machine may take to answer.",
  ),
  timeoutMs: defaulted(
    "timeout",
    longDuration,
    DEFAULT_JOB.timeoutMs,
    '"25h"',
    "how long a run may take, boot included.",
  ),
  stallTimeoutMs: defaulted(
    "stall_timeout",
    longDuration,
    DEFAULT_JOB.stallTimeoutMs,
    '"10m"',
    "how long no byte may move while something is sent.",
  ),
  maxAgeMs: optional("max_age", longDuration, "how old the newest snapshot over there may become."),
  scrubEveryMs: optional("scrub_every", longDuration, "how often the pool over there is scrubbed."),
  snapshots: blocks("snapshots", snapshotsTable, "which snapshots are sent.", 1),
  ssh: blocks("ssh", sshTable, "how the machine is reached, beside what the ssh config says.", 1),
  send: blocks("send", sendTable, "how streams are made.", 1),
  keep: blocks("keep", keepTable, "which snapshots are kept on the receiving side.", 1),
  report: blocks("report", reportTable, "who is told of a run.", 1),
};

/** What is wrong has been told to the decoder. */
export function replicateJob(
  name: string,
  section: Section<typeof replicateTable>,
  decoder: Decoder,
): ReplicateJob {
  const { snapshots, ssh, send, keep, report, ...others } = section.values;
  checkExcluded(section, decoder);
  return {
    name,
    ...others,
    snapshots: snapshots[0]?.values ?? DEFAULT_JOB.snapshots,
    ssh: ssh[0]?.values ?? DEFAULT_JOB.ssh,
    send: send[0]?.values ?? DEFAULT_JOB.send,
    keep: keep[0] && keepOf(keep[0], decoder),
    report: report[0] ? reportSettings(report[0], decoder) : DEFAULT_JOB.report,
  };
}

function keepOf({ values, header }: Section<typeof keepTable>, decoder: Decoder): Keep {
  if (Object.values(values).every((count) => count === 0)) {
    decoder.error(
      header,
      "Nothing would be kept",
      "With all of its numbers 0, every snapshot of this job but the last common one would be destroyed. Give one of them, such as daily = 7, or leave out the block to keep everything.",
    );
  }
  return values;
}

/** Patterns that could leave out nothing are mistakes: what they mean to leave out would be sent. */
function checkExcluded({ values, span }: Section<typeof replicateTable>, decoder: Decoder): void {
  const { source, recursive, exclude } = values;
  const place = span("exclude");
  for (const pattern of exclude) {
    if (matchesGlob(pattern, source)) {
      const detail = `"${pattern}" is the source itself, or matches it ("*" stands for "/" too), so that nothing would be sent.`;
      decoder.error(place, "Source excluded", detail);
    } else if (!intersect(pattern, `${source}/*`)) {
      const detail = `"${pattern}" is no dataset below the source, "${source}". Names are written in full, such as "${source}/cache".`;
      decoder.error(place, "Nothing to exclude", detail);
    }
  }
  if (exclude.length > 0 && !recursive) {
    const detail =
      'Without "recursive = true" nothing below the source is sent, and there is nothing to exclude.';
    decoder.warning(place, "Exclude without effect", detail);
  }
}
