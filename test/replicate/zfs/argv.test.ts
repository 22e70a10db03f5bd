import { describe, expect, it } from "vitest";
import type { Point } from "../../../src/replicate/model.ts";
import {
  bookmarkArgv,
  destroyArgv,
  destroyBookmarkArgv,
  destroySnapshotsArgv,
  discardArgv,
  rollbackArgv,
} from "../../../src/replicate/zfs/change.ts";
import { afterReceive, propertiesRefused, receiveArgv } from "../../../src/replicate/zfs/receive.ts";
import { estimateArgv, type StreamStep, sendArgv } from "../../../src/replicate/zfs/send.ts";
import { recorded } from "./recorded.ts";
import { fuse, openZfs } from "./sides.ts";

const point = (name: string): Point => ({ name, guid: "1", createtxg: 1n, creation: 1 });
const common = { source: "tank/a b", target: "back/a b", snapshot: point("s:2") };
const full: StreamStep = { kind: "full", ...common };
const base = { kind: "snapshot", name: "s:1", targetName: "other", guid: "1" } as const;
const increment: StreamStep = {
  kind: "incremental",
  ...common,
  base,
  intermediates: true,
  snapshots: [point("s:2")],
};
const resume: StreamStep = { kind: "resume", ...common, token: "1-abc" };
const both = { zfs: "zfs", source: openZfs, target: openZfs, raw: false };

describe("sendArgv", () => {
  it.each<[string, StreamStep, string[]]>([
    ["full", full, ["tank/a b@s:2"]],
    ["all in between", increment, ["-I", "tank/a b@s:1", "tank/a b@s:2"]],
    ["only the newest", { ...increment, intermediates: false }, ["-i", "tank/a b@s:1", "tank/a b@s:2"]],
    [
      "from a bookmark",
      { ...increment, base: { ...base, kind: "bookmark" } },
      ["-i", "tank/a b#s:1", "tank/a b@s:2"],
    ],
  ])("sends %s", (_, step, words) => {
    expect(sendArgv({ ...both, step })).toEqual(["zfs", "send", "-L", "-e", "-c", ...words]);
    expect(sendArgv({ ...both, step, raw: true })).toEqual(["zfs", "send", "-w", ...words]);
    expect(sendArgv({ ...both, step, target: fuse })).toEqual(["zfs", "send", ...words]);
    expect(sendArgv({ ...both, step, source: fuse })).toEqual(["zfs", "send", ...words]);
    expect(estimateArgv({ ...both, step })).toEqual(["zfs", "send", "-n", "-P", "-L", "-e", "-c", ...words]);
  });

  it("goes on as the token says, without flags", () => {
    expect(sendArgv({ ...both, step: resume, raw: true })).toEqual(["zfs", "send", "-t", "1-abc"]);
  });

  it("refuses what a side cannot do", () => {
    expect(() => sendArgv({ ...both, step: full, raw: true, target: fuse })).toThrow("cannot be sent raw");
    expect(() => sendArgv({ ...both, step: resume, source: fuse })).toThrow("cannot go on");
    expect(estimateArgv({ ...both, step: full, source: fuse })).toBeUndefined();
  });
});

describe("receiveArgv", () => {
  const into = { zfs: "/sbin/zfs", kind: "filesystem", target: openZfs } as const;

  it("keeps what is received for the first time from ever being mounted", () => {
    expect(receiveArgv({ ...into, step: full })).toEqual([
      "/sbin/zfs",
      "recv",
      "-u",
      "-s",
      "-o",
      "canmount=noauto",
      "-o",
      "readonly=on",
      "-x",
      "mountpoint",
      "back/a b",
    ]);
    expect(afterReceive({ ...into, step: full })).toEqual([]);
  });

  it("gives a volume no properties that it cannot have", () => {
    expect(receiveArgv({ ...into, step: full, kind: "volume" })).toEqual([
      "/sbin/zfs",
      "recv",
      "-u",
      "-s",
      "-o",
      "readonly=on",
      "back/a b",
    ]);
    expect(recorded("openzfs-2.1.11", "recv-vol.err")).toContain("'canmount' does not apply");
  });

  it.each([increment, resume])("sets none again for $kind", (step) => {
    expect(receiveArgv({ ...into, step })).toEqual(["/sbin/zfs", "recv", "-u", "-s", "back/a b"]);
    expect(afterReceive({ ...into, step, target: fuse })).toEqual([]);
  });

  it("sets them afterwards where recv cannot", () => {
    expect(receiveArgv({ ...into, step: full, target: fuse })).toEqual([
      "/sbin/zfs",
      "recv",
      "-u",
      "back/a b",
    ]);
    expect(afterReceive({ ...into, step: full, target: fuse })).toEqual([
      ["/sbin/zfs", "set", "canmount=noauto", "back/a b"],
      ["/sbin/zfs", "set", "readonly=on", "back/a b"],
    ]);
    expect(afterReceive({ ...into, step: full, target: fuse, kind: "volume" })).toEqual([
      ["/sbin/zfs", "set", "readonly=on", "back/a b"],
    ]);
  });

  it("never overwrites", () => {
    for (const step of [full, increment, resume]) {
      expect(receiveArgv({ ...into, step }).join(" ")).not.toMatch(/-\w*F/);
    }
  });

  it("notices properties that were refused to a user", () => {
    const refused = recorded("openzfs-2.1.11", "recv-property-refused.err");
    expect(propertiesRefused(refused)).toEqual([
      "cannot receive readonly property on little/b/u2: permission denied",
    ]);
    expect(propertiesRefused(recorded("openzfs-2.1.11", "recv-modified.err"))).toEqual([]);
  });
});

describe("changes", () => {
  it("have their commands", () => {
    expect(bookmarkArgv("zfs", "a/b", "s", "m")).toEqual(["zfs", "bookmark", "a/b@s", "a/b#m"]);
    expect(rollbackArgv("zfs", "a/b", "s")).toEqual(["zfs", "rollback", "-r", "a/b@s"]);
    expect(discardArgv("zfs", "a/b")).toEqual(["zfs", "recv", "-A", "a/b"]);
    expect(destroyBookmarkArgv("zfs", "a/b", "m")).toEqual(["zfs", "destroy", "a/b#m"]);
    expect(destroyArgv("zfs", "a/b")).toEqual(["zfs", "destroy", "-r", "a/b"]);
  });

  it("destroy snapshots by lists where there are lists", () => {
    const names = Array.from({ length: 101 }, (_, index) => `s${index}`);
    const lists = destroySnapshotsArgv("zfs", "a", names, openZfs);
    expect(lists.map((argv) => argv.at(-1)?.split(",").length)).toEqual([100, 1]);
    expect(destroySnapshotsArgv("zfs", "a", ["x y", "z"], fuse)).toEqual([
      ["zfs", "destroy", "a@x y"],
      ["zfs", "destroy", "a@z"],
    ]);
    expect(destroySnapshotsArgv("zfs", "a", [], openZfs)).toEqual([]);
  });

  it.each(["", "a@b", "a,b", "a%b", "%", "a/b", "x\ny"])(
    "destroy nothing for %j, which is no one name",
    (name) => {
      expect(() => destroySnapshotsArgv("zfs", "a", ["fine", name], openZfs)).toThrow("not the name");
    },
  );
});
