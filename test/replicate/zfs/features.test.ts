import { describe, expect, it } from "vitest";
import { detectFeatures, readFeatures } from "../../../src/replicate/zfs/features.ts";
import { recorded, type Version } from "./recorded.ts";
import { fuse, openZfs, stubSide } from "./sides.ts";

const read = (version: Version) => readFeatures(recorded(version, "usage.err"), recorded(version, "get.err"));

describe("readFeatures", () => {
  it("knows what OpenZFS 2.1 can do", () => {
    expect(read("openzfs-2.1.11")).toEqual(openZfs);
  });

  it("knows what zfs-fuse cannot", () => {
    expect(read("zfs-fuse-0.7.0")).toEqual(fuse);
  });

  it("takes each flag from its own command", () => {
    const usage = recorded("openzfs-2.1.11", "usage.err")
      .split("\n")
      .filter((line) => !line.includes("bookmark") && !line.includes("send -t") && !/\treceive -A/.test(line))
      .join("\n")
      .replaceAll("DnPpRVvLecwhb", "DnPpRve");
    const properties = recorded("openzfs-2.1.11", "get.err");
    expect(readFeatures(usage, properties)).toMatchObject({
      bookmarks: false,
      raw: false,
      compressed: false,
      largeBlocks: false,
      embedded: true,
      estimate: true,
    });
  });
});

describe("detectFeatures", () => {
  const signal = new AbortController().signal;

  it("asks for usage and properties, and for no pool", async () => {
    const { side, asked } = stubSide((argv) => ({
      status: 2,
      stderr: recorded("openzfs-2.1.11", argv.length === 1 ? "usage.err" : "get.err"),
    }));
    expect(await detectFeatures(side, "/sbin/zfs", signal)).toEqual(openZfs);
    expect(asked).toEqual([["/sbin/zfs"], ["/sbin/zfs", "get"]]);
  });

  it("says that there is no zfs, and where it may be", async () => {
    const { side } = stubSide(() => ({ status: 127, stderr: recorded("openzfs-2.1.11", "dash-nozfs.err") }));
    await expect(detectFeatures(side, "zfs", signal)).rejects.toThrow(/zfs: not found .*--remote-zfs/);
  });

  it("says that it may not ask", async () => {
    const { side } = stubSide(() => ({ status: 1, stderr: recorded("zfs-fuse-0.7.0", "no-access.err") }));
    await expect(detectFeatures(side, "zfs", signal)).rejects.toThrow("log in as root");
  });

  it("tells a connection that failed from zfs", async () => {
    const { side } = stubSide(() => ({ status: 255, stderr: "Connection closed by UNKNOWN port 65535\n" }));
    await expect(detectFeatures(side, "zfs", signal)).rejects.toMatchObject({ kind: "lost" });
  });
});
