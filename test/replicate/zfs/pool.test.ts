import { describe, expect, it } from "vitest";
import { poolOf, zpoolOf } from "../../../src/replicate/zfs/names.ts";
import {
  freeBytes,
  parseHealth,
  parseScrub,
  pauseScrubArgv,
  poolHealth,
  scrubArgv,
  scrubState,
} from "../../../src/replicate/zfs/pool.ts";
import { recorded, type Version } from "./recorded.ts";
import { stubSide } from "./sides.ts";

const VERSIONS: Version[] = ["openzfs-2.1.11", "zfs-fuse-0.7.0"];
const signal = new AbortController().signal;

describe.each(VERSIONS)("of %s", (version) => {
  it("knows a healthy pool, by status -x and without", () => {
    const healthy = { healthy: true, usable: true, state: "ONLINE", words: "" };
    expect(parseHealth(recorded(version, "status-x"))).toEqual(healthy);
    expect(parseHealth(recorded(version, "status"))).toEqual(healthy);
  });

  it("says what is wrong with one that is not", () => {
    expect(parseHealth(recorded(version, "status-x-degraded"))).toEqual({
      healthy: false,
      usable: true,
      state: "DEGRADED",
      words:
        "DEGRADED: One or more devices has been taken offline by the administrator. Sufficient replicas exist for the pool to continue functioning in a degraded state.",
    });
    expect(parseHealth(recorded(version, "status-x-bad"))).toMatchObject({ healthy: false, state: "ONLINE" });
    expect(parseHealth(recorded(version, "status-x-bad")).words).toMatch(/data corruption.*\d+ data errors/);
  });

  it("reads scrubs", () => {
    expect(parseScrub(recorded(version, "status"))).toEqual({ kind: "never" });
    const finished = parseScrub(recorded(version, "status-scrubbed"));
    expect(finished).toMatchObject({ kind: "finished", errors: 0 });
    expect(finished.kind === "finished" && Math.abs((finished.at ?? 0) - 1795648574000) < 86_400_000).toBe(
      true,
    );
    const bad = parseScrub(recorded(version, "status-bad"));
    expect(bad.kind === "finished" && bad.errors).toBeGreaterThan(600);
  });

  it("says that a pool is not there, and how it comes", async () => {
    const { side } = stubSide(() => ({ status: 1, stderr: recorded(version, "status-exported.err") }));
    await expect(poolHealth(side, "zfs", "tank", signal)).rejects.toThrow(
      /cannot open 'tank': no such pool \(.*zpool import -N tank\)/,
    );
    await expect(scrubState(side, "zfs", "tank", signal)).rejects.toThrow("no such pool");
  });

  it("reads free space", async () => {
    const { side, asked } = stubSide(() => ({
      stdout: `tank/safe\tavailable\t${recorded(version, "avail").trim()}\t-\n`,
    }));
    expect(await freeBytes(side, "zfs", "tank/safe", signal)).toBeGreaterThan(20_000_000);
    expect(asked).toEqual([["zfs", "get", "-Hp", "available", "tank/safe"]]);
  });
});

describe("parseScrub", () => {
  it("reads one that runs, one that is paused and one that was cancelled", () => {
    expect(parseScrub(recorded("openzfs-2.1.11", "status-scrubbing"))).toMatchObject({ kind: "running" });
    expect(parseScrub(recorded("openzfs-2.1.11", "status-paused"))).toMatchObject({
      kind: "paused",
      percent: 25,
    });
    // As zfs-fuse has it.
    expect(parseScrub(" scrub: scrub in progress for 0h1m, 12.50% done, 0h7m to go\n")).toMatchObject({
      kind: "running",
      percent: 12.5,
    });
    expect(parseScrub("  scan: scrub canceled on Wed Nov 25 23:16:15 2026\n")).toMatchObject({
      kind: "cancelled",
    });
    expect(
      parseScrub("  scan: resilvered 1M in 00:00:01 with 0 errors on Wed Nov 25 23:16:15 2026\n"),
    ).toMatchObject({
      kind: "resilver",
    });
  });
});

describe("parseHealth", () => {
  it("does not mind a pool that could be upgraded, and minds one that is suspended", () => {
    const old =
      "  pool: t\n state: ONLINE\nstatus: Some supported features are not enabled on the pool.\nerrors: No known data errors\n";
    expect(parseHealth(old).healthy).toBe(true);
    expect(parseHealth(old.replace("ONLINE", "SUSPENDED"))).toMatchObject({ healthy: false, usable: false });
    expect(parseHealth("")).toMatchObject({ healthy: false, usable: false });
  });
});

describe("names", () => {
  it("find pool and zpool", () => {
    expect(["tank", "tank/a@s", "tank@s", "tank#b"].map(poolOf)).toEqual(["tank", "tank", "tank", "tank"]);
    expect(["zfs", "/usr/sbin/zfs", "./zfs"].map(zpoolOf)).toEqual(["zpool", "/usr/sbin/zpool", "./zpool"]);
    expect(scrubArgv("/sbin/zfs", "tank")).toEqual(["/sbin/zpool", "scrub", "tank"]);
    expect(pauseScrubArgv("zfs", "tank")).toEqual(["zpool", "scrub", "-p", "tank"]);
  });
});
