import { describe, expect, it } from "vitest";
import { readEstimate } from "../../../src/replicate/zfs/estimate.ts";
import { explain } from "../../../src/replicate/zfs/explain.ts";
import {
  heldBy,
  holdArgv,
  holdsArgv,
  isHeldAlready,
  isNotHeld,
  parseHolds,
  releaseArgv,
} from "../../../src/replicate/zfs/holds.ts";
import { parseToken, readToken } from "../../../src/replicate/zfs/token.ts";
import { recorded, type Version } from "./recorded.ts";
import { stubSide } from "./sides.ts";

const VERSIONS: Version[] = ["openzfs-2.1.11", "zfs-fuse-0.7.0"];
const signal = new AbortController().signal;
const about = { side: { name: "archiver", remote: true }, zfs: "zfs", dataset: "back/safe", status: 1 };

describe.each(VERSIONS)("what %s says is explained", (version) => {
  it.each([
    ["recv-modified", "has been modified", "zfs rollback back/safe@SNAPSHOT"],
    ["recv-truncated", /most recent|failed to read/, /plan anew|cut or damaged/],
    ["recv-exists", "destination 'back/safe' exists", "zfs destroy -r back/safe"],
    ["recv-noparent", "dataset does not exist", "zfs create -p"],
    ["recv-nopool", "does not exist", "zpool import -N back"],
    ["recv-garbage", "bad magic number", "cut or damaged"],
    ["recv-empty", "failed to read from stream", "the sending side failed"],
    ["destroy-held", "dataset is busy", "it is held"],
    ["status-exported", "no such pool", "zpool import -N back"],
    ["send-missing", "does not exist", "is the name right"],
  ])("%s", (name, words, remedy) => {
    const text = explain(recorded(version, `${name}.err`), about);
    expect(text).toMatch(words);
    expect(text).toMatch(remedy);
    expect(text).not.toContain("\n");
    expect(text).not.toContain("-F to overwrite");
  });

  it("knows holds that are there, and that are not", () => {
    expect(isHeldAlready(recorded(version, "hold-again.err"))).toBe(true);
    expect(isNotHeld(recorded(version, "release-again.err"))).toBe(true);
    expect(isHeldAlready(recorded(version, "release-again.err"))).toBe(false);
    expect(isHeldAlready("")).toBe(false);
  });
});

describe("explain", () => {
  it.each([
    "connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running.\ninternal error: failed to initialize ZFS library\n",
    "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them.\n",
  ])("knows that there is no ZFS at all", (said) => {
    expect(explain(said, about)).toContain("ZFS does not run there: load its module (modprobe zfs)");
  });

  it.each([
    ["recv-mismatch", "plan anew"],
    ["recv-quota", "make room"],
    ["busy-mounted", "mounted"],
    ["token-gone", "recv -A"],
    ["token-bad", "recv -A"],
    ["resume-cut", "cut or damaged"],
    ["user-send", "zfs allow USER send,hold,release,bookmark back/safe"],
    ["user-recv", "zfs allow USER receive,create,mount,canmount,mountpoint,readonly"],
    ["user-hold", "zfs allow"],
    ["user-bookmark", "zfs allow"],
  ])("knows OpenZFS' %s", (name, remedy) => {
    expect(explain(recorded("openzfs-2.1.11", `${name}.err`), about)).toContain(remedy);
  });

  it("says where zfs may be when there is none", () => {
    for (const name of ["nozfs.err", "dash-nozfs.err"]) {
      const text = explain(recorded("openzfs-2.1.11", name), { ...about, status: 127 });
      expect(text).toContain("give the path of zfs on archiver (--remote-zfs)");
    }
    const here = { ...about, side: { name: "here", remote: false } };
    expect(explain("", { ...here, status: 127 })).toContain("--zfs");
  });

  it("leaves out usage, and is never empty", () => {
    expect(explain(recorded("openzfs-2.1.11", "send-missing.err"), about)).not.toContain("usage");
    expect(explain("something new\n", about)).toBe("something new");
    expect(explain("", { ...about, status: 9 })).toBe("it ended with status 9 and said nothing");
  });

  it("quotes names in commands that a person may copy", () => {
    const text = explain(recorded("openzfs-2.1.11", "recv-modified.err"), { ...about, dataset: "back/a b" });
    expect(text).toContain("zfs rollback 'back/a b@SNAPSHOT'");
  });
});

describe("holds", () => {
  it("carry the job's tag", () => {
    expect(holdArgv("zfs", "safe", ["a@b", "a@c d"])).toEqual([
      "zfs",
      "hold",
      "lazyssh:safe",
      "a@b",
      "a@c d",
    ]);
    expect(releaseArgv("zfs", "safe", ["a@b"])).toEqual(["zfs", "release", "lazyssh:safe", "a@b"]);
    expect(holdsArgv("zfs", ["a@b"])).toEqual(["zfs", "holds", "-H", "a@b"]);
  });

  it("are read, and judged by tag", async () => {
    const stdout = recorded("openzfs-2.1.11", "holds-r");
    expect(parseHolds(stdout)).toEqual([{ snapshot: "tank/safe@two words", tag: "lazyssh:job" }]);
    const { side } = stubSide(() => ({ stdout }));
    const snapshots = ["tank/safe@two words"];
    expect(await heldBy(side, "zfs", { job: "job", snapshots, signal })).toEqual(snapshots);
    expect(await heldBy(side, "zfs", { job: "jo", snapshots, signal })).toEqual([]);
    const { side: failing } = stubSide(() => ({ status: 1 }));
    expect(await heldBy(failing, "zfs", { job: "job", snapshots, signal })).toBeUndefined();
  });
});

describe("tokens and estimates", () => {
  it.each(["token-read", "token-readP", "token-gone"])("reads the contents of a token (%s)", (name) => {
    expect(parseToken("1-a", recorded("openzfs-2.1.11", name))).toEqual({
      token: "1-a",
      toGuid: "9532747786713165287",
      toName: "tank/safe@big",
      bytes: 7893720,
    });
  });

  it("knows nothing of a token that cannot be read", async () => {
    const { side, asked } = stubSide(() => ({
      status: 255,
      stderr: recorded("openzfs-2.1.11", "token-bad.err"),
    }));
    expect(await readToken(side, "zfs", "1-bad", signal)).toEqual({
      token: "1-bad",
      toGuid: undefined,
      toName: undefined,
      bytes: undefined,
    });
    expect(asked).toEqual([["zfs", "send", "-nvt", "1-bad"]]);
  });

  it.each([
    ["estimate", 13424],
    ["estimate-i", 7280],
    ["estimate-c", 7904],
    ["estimate-bm", 7280],
    ["token-readP", 17333656],
    ["status", undefined],
  ])("reads %s", (name, bytes) => {
    expect(readEstimate(recorded("openzfs-2.1.11", name))).toBe(bytes);
  });
});
