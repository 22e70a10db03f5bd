import { readFileSync } from "node:fs";

/** What real commands have printed, with English messages; `NAME.err` is standard error. */
export type Version = "zfs-fuse-0.7.0" | "openzfs-2.1.11";

export function recorded(version: Version, name: string): string {
  return readFileSync(new URL(`../../fixtures/zfs/${version}/${name}.txt`, import.meta.url), "utf8");
}
