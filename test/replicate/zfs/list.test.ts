import { describe, expect, it } from "vitest";
import type { Features } from "../../../src/replicate/model.ts";
import type { Side } from "../../../src/replicate/side.ts";
import { listArgvs, listDatasets, parseDatasets } from "../../../src/replicate/zfs/list.ts";
import { recorded } from "./recorded.ts";
import { fuse, openZfs, stubSide } from "./sides.ts";

/** What is there below `root`. */
const list = (side: Side, features: Features, root: string, recursive = true) =>
  listDatasets(side, "zfs", root, { recursive, features, signal: new AbortController().signal });

/** Answers as OpenZFS 2.1 did. */
const real = (argv: readonly string[]) => {
  if (argv[1] === "send") return { stdout: recorded("openzfs-2.1.11", "token-gone"), status: 255 };
  const root = argv.at(-1);
  if (argv.includes("snapshot,bookmark")) {
    return { stdout: root === "back" ? "" : recorded("openzfs-2.1.11", "points") };
  }
  return { stdout: recorded("openzfs-2.1.11", root === "back" ? "fs-token" : "fs") };
};

describe("listDatasets", () => {
  it("reads datasets, snapshots and bookmarks of OpenZFS with two commands", async () => {
    const { side, asked } = stubSide(real);
    const found = await list(side, openZfs, "tank/safe");
    expect(asked.length).toBe(2);
    expect(found?.map(({ name, kind, encrypted }) => [name, kind, encrypted])).toEqual([
      ["tank/safe", "filesystem", false],
      ["tank/safe/a:b", "filesystem", false],
      ["tank/safe/secret", "filesystem", true],
      ["tank/safe/vol", "volume", false],
      ["tank/safe/with space", "filesystem", false],
    ]);
    expect(found?.[0]).toEqual({
      name: "tank/safe",
      kind: "filesystem",
      encrypted: false,
      snapshots: [
        { name: "one", guid: "11445660200103360647", createtxg: 16n, creation: 1795648559 },
        { name: "two words", guid: "4523624040113513266", createtxg: 18n, creation: 1795648559 },
        {
          name: "zfs-auto-snap_hourly-2026-11-25-2300",
          guid: "3426213243783546423",
          createtxg: 21n,
          creation: 1795648560,
        },
      ],
      bookmarks: [{ name: "mark", guid: "11445660200103360647", createtxg: 16n, creation: 1795648559 }],
      resumeToken: undefined,
      written: 16896,
    });
    expect(found?.[4]?.snapshots.map(({ name }) => name)).toEqual(["s:1"]);
  });

  it("reads zfs-fuse's with one command, guids of 64 bits in full", async () => {
    const { side, asked } = stubSide(() => ({ stdout: recorded("zfs-fuse-0.7.0", "points-fuse") }));
    const found = await list(side, fuse, "tank/safe");
    expect(asked).toEqual([
      ["zfs", "get", "-Hp", "-r", "-o", "name,property,value", "type,guid,createtxg,creation", "tank/safe"],
    ]);
    expect(found?.map(({ name, written, encrypted }) => [name, written, encrypted])).toEqual([
      ["tank/safe", undefined, false],
      ["tank/safe/a:b", undefined, false],
      ["tank/safe/with space", undefined, false],
    ]);
    expect(found?.[0]?.snapshots.map(({ guid }) => guid)).toEqual([
      "4605519020768912318",
      "14957190695094687852",
      "17262671590841730647",
    ]);
  });

  it("leaves out what is below, unless it is asked for", async () => {
    const { side } = stubSide(() => ({ stdout: recorded("zfs-fuse-0.7.0", "points-d1") }));
    const found = await list(side, fuse, "tank/safe", false);
    expect(found?.map(({ name, snapshots }) => [name, snapshots.length])).toEqual([["tank/safe", 3]]);
  });

  it("reads what an interrupted receive has left", async () => {
    const { side } = stubSide(real);
    const found = await list(side, openZfs, "back");
    expect(found?.map(({ name, resumeToken }) => [name, resumeToken?.toName])).toEqual([
      ["back", undefined],
      ["back/resumed", "tank/safe@big"],
      ["back/safe", undefined],
    ]);
    expect(found?.[1]?.resumeToken).toMatchObject({ toGuid: "9532747786713165287", bytes: 0x7872d8 });
  });

  it.each(["openzfs-2.1.11", "zfs-fuse-0.7.0"] as const)(
    "tells of a root that does not exist (%s)",
    async (version) => {
      const { side } = stubSide(() => ({ status: 1, stderr: recorded(version, "none.err") }));
      expect(await list(side, fuse, "tank/nope")).toBeUndefined();
    },
  );

  it("takes no failure for an empty list", async () => {
    const denied = stubSide(() => ({ status: 1, stderr: recorded("zfs-fuse-0.7.0", "no-access.err") }));
    await expect(list(denied.side, fuse, "tank")).rejects.toThrow("listing tank on archiver failed");
    const gone = stubSide(() => ({ status: 255 }));
    await expect(list(gone.side, fuse, "tank")).rejects.toMatchObject({ kind: "lost" });
    const killed = stubSide(() => ({ status: undefined, signal: "SIGKILL" }));
    await expect(list(killed.side, fuse, "tank")).rejects.toThrow("SIGKILL");
  });

  it("reads ten thousand snapshots in an instant", () => {
    const rows = Array.from({ length: 10_000 }, (_, index) => {
      const name = `tank/data@auto-${String(index).padStart(6, "0")}`;
      return `${name}\tguid\t${2n ** 63n + BigInt(index)}\n${name}\tcreatetxg\t${20_000 - index}\n${name}\tcreation\t${1_700_000_000 + index}\n`;
    });
    const started = performance.now();
    const [dataset] = parseDatasets([`tank/data\ttype\tfilesystem\n${rows.join("")}`]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(dataset?.snapshots.length).toBe(10_000);
    expect(dataset?.snapshots[0]?.name).toBe("auto-009999");
  });
});

describe("listArgvs", () => {
  it("asks only for what the side knows", () => {
    const features = { ...openZfs, raw: false, resume: false };
    const get = ["zfs", "get", "-Hp", "-d", "1", "-o", "name,property,value"];
    expect(listArgvs("zfs", "a b", { recursive: false, features })).toEqual([
      [...get, "-t", "filesystem,volume", "type,written", "a b"],
      [...get, "-t", "snapshot,bookmark", "guid,createtxg,creation", "a b"],
    ]);
  });
});
