import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Dataset, Point } from "../../../src/replicate/model.ts";
import { plan } from "../../../src/replicate/plan/plan.ts";
import type { Step } from "../../../src/replicate/plan/steps.ts";
import { reverseOf } from "../../../src/replicate/restore/reverse.ts";
import { tidyReplica } from "../../../src/replicate/restore/tidy.ts";
import { lookAtEnd } from "../../../src/replicate/run/ends.ts";
import { isRaw, programsOf } from "../../../src/replicate/run/stages.ts";
import { localSide } from "../../../src/replicate/ssh/local.ts";
import {
  bookmarkArgv,
  destroyBookmarkArgv,
  destroySnapshotsArgv,
  discardArgv,
  rollbackArgv,
} from "../../../src/replicate/zfs/change.ts";
import { readEstimate } from "../../../src/replicate/zfs/estimate.ts";
import { holdArgv, holdsArgv, releaseArgv } from "../../../src/replicate/zfs/holds.ts";
import { listDatasets } from "../../../src/replicate/zfs/list.ts";
import { afterReceive } from "../../../src/replicate/zfs/receive.ts";
import { estimateArgv, type StreamStep } from "../../../src/replicate/zfs/send.ts";
import { readToken } from "../../../src/replicate/zfs/token.ts";
import { readUsage, writeZfsStub } from "../../harness/zfs-stub.ts";
import { jobOf } from "../run/world.ts";
import { recorded, type Version } from "./recorded.ts";
import { fuse, openZfs } from "./sides.ts";

const signal = new AbortController().signal;
const side = localSide();
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function stub(version: Version) {
  const folder = mkdtempSync(join(tmpdir(), "lazyssh-stub-"));
  folders.push(folder);
  return writeZfsStub(folder, {
    usage: recorded(version, "usage.err"),
    properties: recorded(version, "get.err"),
    silent: version === "zfs-fuse-0.7.0" ? { receive: "u" } : {},
  });
}

const formsOf = (version: Version, command: string) =>
  readUsage(recorded(version, "usage.err")).filter((form) => form.command === command);

describe("the usage of zfs", () => {
  it("is read line by line: flags, those with a value, and how many words there are", () => {
    const many = Number.POSITIVE_INFINITY;
    const form = (
      command: string,
      flags: string,
      valued: string,
      least: number,
      most = least,
      required = "",
      mark = "-",
    ) => ({
      ...{ command, flags, valued, required, mark, least, most },
    });
    expect(["send", "receive"].flatMap((command) => formsOf("openzfs-2.1.11", command))).toEqual([
      form("send", "DnPpRVvLecwhb", "iI", 1),
      form("send", "DnVvPLecw", "i", 1),
      form("send", "nVvPe", "t", 0, 0, "t"),
      form("receive", "vMnsFhu", "ox", 1),
      form("receive", "devMnsFhu", "ox", 1),
      form("receive", "A", "", 1, 1, "A", "/"),
    ]);
    const others = ["get", "bookmark", "hold", "holds", "load-key"];
    expect(others.flatMap((command) => formsOf("openzfs-2.1.11", command))).toEqual([
      form("get", "rHp", "dots", 1, many),
      form("bookmark", "", "", 2),
      form("hold", "r", "", 2, many),
      form("holds", "rH", "", 1, many),
      form("load-key", "arn", "L", 0, 1),
    ]);
    expect(["send", "receive", "bookmark"].flatMap((command) => formsOf("zfs-fuse-0.7.0", command))).toEqual([
      form("send", "RDp", "iI", 1),
      form("receive", "vnF", "", 1),
      form("receive", "vnFd", "", 1, 1, "d"),
    ]);
  });

  it.each<Version>(["openzfs-2.1.11", "zfs-fuse-0.7.0"])("is read in full, of %s", (version) => {
    const text = /following:\n([\s\S]*?)\nEach/.exec(recorded(version, "usage.err"))?.[1] ?? "";
    const lines = text
      .replaceAll(/\n\t {4}/g, " ")
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.includes(" --"));
    const forms = readUsage(recorded(version, "usage.err"));
    expect(forms.map(({ command }) => command)).toEqual(lines.map((line) => line.trim().split(" ")[0]));
    lines.forEach((line, at) => {
      const letters = [...line.matchAll(/(?<![\w>])-\[?([A-Za-z0]+(?:\|[A-Z])?)/g)].flatMap(([, some]) => [
        ...(some ?? "").replace("|", ""),
      ]);
      const { flags = "", valued = "" } = forms[at] ?? {};
      expect([line, [...new Set(flags + valued)].sort()]).toEqual([line, [...new Set(letters)].sort()]);
    });
  });
});

describe("a stub of zfs", () => {
  const { path, asked, answers } = stub("openzfs-2.1.11");
  const run = (...words: string[]) => side.run([path, ...words], { signal });

  it("takes no flag but those that the usage has, each with its value, in lines of their own", async () => {
    for (const command of ["send", "recv"]) {
      const forms = formsOf("openzfs-2.1.11", command === "recv" ? "receive" : command);
      for (const letter of "abcdeintuwxACDFILMPQRVXZ") {
        const form = forms.find(({ flags, valued }) => (flags + valued).includes(letter));
        const value = form?.valued.includes(letter) ? ["value"] : [];
        const words = form?.least === 0 ? [] : [form?.mark === "/" ? "tank/a b" : "tank/a b@1"];
        const { status, stderr } = await run(command, `-${letter}`, ...value, ...words);
        expect([command, letter, status]).toEqual([command, letter, form ? 0 : 2]);
        if (!form) expect(stderr).toContain(`invalid option '${letter}'`);
      }
    }
    for (const wrong of [
      ["send", "-t", "token", "tank@1"],
      ["send", "-R", "-t", "token"],
      ["recv", "-A", "-s", "back"],
      ["send"],
      ["bookmark", "tank@1"],
      ["snap-it", "tank@1"],
      ["destroy", "-r", "tank#mark"],
      ["destroy", "-f", "tank@1"],
      ["recv", "-A", "back@1"],
    ]) {
      expect((await run(...wrong)).stderr).toContain("usage:");
      expect([wrong, (await run(...wrong)).status]).toEqual([wrong, 2]);
    }
  });

  it("remembers what it was asked, and answers what it is told to", async () => {
    asked();
    answers("get -Hp", "tank\tguid\t1\n");
    expect((await run("get", "-Hp", "guid", "tank/a b")).stdout).toBe("tank\tguid\t1\n");
    expect(asked()).toEqual([["get", "-Hp", "guid", "tank/a b"]]);
    expect(asked()).toEqual([]);
  });
});

const point = (name: string, at: number): Point => ({
  ...{ name, guid: `${at}`, createtxg: BigInt(at), creation: at },
});
const points = ["one", "two words", "3:00"].map((name, at) => point(name, at + 1));
const source: Dataset = {
  ...{ name: "tank/safe", kind: "filesystem", encrypted: false, snapshots: points, bookmarks: [] },
  ...{ resumeToken: undefined, written: 0 },
};
const target: Dataset = { ...source, name: "backup/safe" };
const token = { token: "1-abc", toGuid: "3", toName: "tank/safe@3:00", bytes: 5 };
const first = { snapshots: points.slice(0, 1) };
const gone = { snapshots: points.slice(2), bookmarks: [point("mark", 1)] };

/** What there is on both sides, and the kinds of steps that follow where both can do everything. */
const CASES: readonly [string, Partial<Dataset>, Partial<Dataset> | undefined, string][] = [
  ["nothing", {}, undefined, "full incremental"],
  ["nothing, of a volume", { kind: "volume" }, undefined, "full incremental"],
  ["nothing, of what is encrypted", { encrypted: true }, undefined, "full incremental"],
  ["a snapshot", {}, first, "incremental"],
  ["a snapshot of what is encrypted", { encrypted: true }, { ...first, encrypted: true }, "incremental"],
  ["what is a bookmark by now", gone, first, "incremental"],
  ["an interrupted receive", {}, { ...first, resumeToken: token }, "resume"],
  ["an interrupted first one", {}, { snapshots: [], resumeToken: token }, "resume"],
  [
    "an interrupted one of what is gone",
    { snapshots: points.slice(0, 2) },
    { ...first, resumeToken: token },
    "discard incremental",
  ],
  [
    "more than it should",
    {},
    { snapshots: [...points.slice(0, 1), point("own", 9)] },
    "rollback incremental",
  ],
];

describe.each<[Version, typeof fuse]>([
  ["openzfs-2.1.11", openZfs],
  ["zfs-fuse-0.7.0", fuse],
])("all that is asked of zfs, where it is %s,", (version, features) => {
  const { path, asked, answers } = stub(version);
  const job = jobOf({ source: { binDir: "/none" }, sshConfig: "/none" }, { zfs: path, remoteZfs: path });
  const accepted = async (argv: readonly string[]) => {
    const { status, stderr } = await side.run(argv, { signal });
    expect({ argv: argv.slice(1), status, stderr }).toEqual({ argv: argv.slice(1), status: 0, stderr: "" });
  };

  it.each(CASES)("is what it has, when the target has %s", async (_, here, there, kinds) => {
    const end = await lookAtEnd(side, path, signal);
    expect(end.features).toEqual(features);
    const ends = { source: end, target: end };
    const dataset = { ...source, ...here };
    const { datasets } = plan({
      ...{ source: [dataset], target: there ? [{ ...target, ...there }] : [], job },
      ...{
        allowed: { rollback: true, destroyTarget: false },
        features: { source: features, target: features },
      },
    });
    const [planned] = datasets;
    if (version === "openzfs-2.1.11") {
      expect(planned?.steps.map(({ kind }) => kind).join(" ")).toBe(kinds);
    } else if (dataset.encrypted) {
      expect(planned?.refusal?.reason).toContain("raw");
    }
    asked();
    for (const step of planned?.steps ?? []) {
      for (const argv of commandsOf(step, dataset)) await accepted(argv);
    }
    const words = asked().map((argv) => argv.join(" "));
    for (const line of words) expect(line).not.toMatch(/ -\w*[FR]/);
    if (version === "openzfs-2.1.11") expect(words).toMatchSnapshot();

    function* commandsOf(step: Step, about: Dataset): Generator<readonly string[]> {
      if (step.kind === "discard") return yield discardArgv(path, step.target);
      if (step.kind === "rollback") return yield rollbackArgv(path, step.target, step.snapshot);
      if (step.kind === "destroy") return;
      yield* streamCommands(step, about);
    }
    function* streamCommands(step: StreamStep, about: Dataset): Generator<readonly string[]> {
      const options = { zfs: path, step, source: features, target: features, raw: isRaw(job, about) };
      const estimate = estimateArgv(options);
      if (estimate) yield estimate;
      const { sending, receiving } = programsOf({ ends, job, step, dataset: about, packed: false });
      for (const { name, argv } of [...sending, ...receiving]) if (name.startsWith("zfs ")) yield argv;
      yield* afterReceive({ zfs: path, step, kind: about.kind, target: features });
    }
  });

  it("is what it has, for lists, holds, bookmarks, tokens and what is to go", async () => {
    const names = ["tank/safe@one", "tank/safe@two words"];
    await accepted(holdArgv(path, "safe", names));
    await accepted(releaseArgv(path, "safe", names));
    for (const argv of destroySnapshotsArgv(path, "backup/safe", ["one", "two words"], features)) {
      await accepted(argv);
    }
    answers("get -Hp", "");
    const listed = listDatasets(side, path, "tank/safe", { recursive: true, features, signal });
    // It has answered nothing, and was asked nothing that it has not.
    await expect(listed).rejects.toThrow("nothing is said of tank/safe");
    if (features.holds) await accepted(holdsArgv(path, names));
    if (features.bookmarks) {
      await accepted(bookmarkArgv(path, "tank/safe", "one", "lazyssh:safe-1"));
      await accepted(destroyBookmarkArgv(path, "tank/safe", "lazyssh:safe-1"));
    }
    if (features.resume) {
      answers("send -nvt", recorded("openzfs-2.1.11", "token-read"));
      expect((await readToken(side, path, "1-abc", signal)).bytes).toBe(0x7872d8);
    }
    if (features.estimate) {
      answers("send -n -P", recorded("openzfs-2.1.11", "estimate-c"));
      const argv = [path, "send", "-n", "-P", "-c", "tank/safe@one"];
      expect(readEstimate((await side.run(argv, { signal })).stdout)).toBe(7904);
    }
  });
});

it("leaves nothing of a restore on a replica, and asks for nothing that zfs refuses", async () => {
  const { path, asked, answers } = stub("openzfs-2.1.11");
  const rows = (name: string, ...about: [string, string | number][]) =>
    about.map(([property, value]) => `${name}\t${property}\t${value}\n`).join("");
  const numbers: [string, number][] = [
    ["guid", 7],
    ["createtxg", 1],
    ["creation", 1],
  ];
  const list = "get -Hp -d 1 -o name,property,value -t";
  answers(`${list} filesystem`, rows("backup/safe", ["type", "filesystem"]));
  const own = "backup/safe#lazyssh:safe.restore-7";
  answers(
    `${list} snapshot`,
    ["backup/safe@one", own, "backup/safe#mark"].map((name) => rows(name, ...numbers)).join(""),
  );
  const back = reverseOf(jobOf({ source: { binDir: "/none" }, sshConfig: "/none" }, {}), {
    snapshot: undefined,
    to: "tank/drill",
  });
  expect(await tidyReplica(await lookAtEnd(side, path, signal), back, signal)).toEqual([]);
  expect(asked().filter(([command]) => command === "release" || command === "destroy")).toEqual([
    ["release", "lazyssh:safe.restore", "backup/safe@one"],
    ["destroy", own],
  ]);
});
