import { expect, test } from "vitest";
import { isFatal } from "../../src/util/native-ciphers.ts";

const OLDER = Buffer.from("\0_ZN2v87Isolate10GetCurrentEv\0");
const NEWER = Buffer.from("\0_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateEPFvPvES3_\0");

test.each([
  ["24.18.1", OLDER, false],
  ["24.21.0", OLDER, false],
  ["24.18.1", NEWER, true],
  ["24.19.0", NEWER, true],
  ["24.21.0", NEWER, true],
  ["26.3.1", NEWER, true],
  ["26.4.0", NEWER, false],
  ["27.0.0", NEWER, false],
])("Node %s with an addon of these headers", (version, addon, fatal) => {
  expect(isFatal(addon, version)).toBe(fatal);
});
