import { describe, expect, it } from "vitest";
import { type Config, DEFAULT_JOB } from "../../src/config/index.ts";
import { applicable, compare } from "../../src/host/changes.ts";
import { statusLine } from "../../src/host/status-line.ts";
import type { TargetStatus } from "../../src/targets/index.ts";
import { authorizedKey, serverConfig, userConfig } from "../harness/server-config.ts";
import { targetWith } from "../harness/target.ts";

const key = { type: "ssh-ed25519", blob: Buffer.from("k"), privateKey: "host key" };
const config = (
  server: Partial<Config["server"]> = {},
  targets: Config["targets"] = [targetWith()],
): Config => ({
  file: "config.hcl",
  server: serverConfig(key, key, server),
  targets,
  jobs: [],
});
const job = {
  ...DEFAULT_JOB,
  name: "safe",
  target: "archiver",
  source: "rpool/safe",
  destination: "backup/safe",
};
const eve = userConfig("eve", [authorizedKey(key)]);

describe("what a reload changes", () => {
  it.each<[string, Config, Config, readonly string[], readonly string[]]>([
    ["nothing", config(), config(), [], []],
    ["a job, which is nothing to a server", config(), { ...config(), jobs: [job] }, [], []],
    ["a user", config(), config({ users: [...config().server.users, eve] }), ["user eve was added"], []],
    [
      "a user's targets",
      config({ users: [eve] }),
      config({ users: [{ ...eve, targets: ["a*"] }] }),
      ["user eve was changed"],
      [],
    ],
    [
      "targets",
      config({}, [targetWith(), targetWith({ name: "db" })]),
      config({}, [targetWith({ lingerMs: 1 }), targetWith({ name: "web" })]),
      ["target archiver was changed", "target web was added", "target db was removed"],
      [],
    ],
    [
      "revocations, limits and the drain",
      config(),
      config({
        revoked: { keys: new Set(["SHA256:x"]), serials: [], ids: [] },
        limits: { ...config().server.limits, channels: 3 },
        drainMs: 1,
      }),
      ["the revocations were changed", "the limits were changed", "drain_timeout was changed"],
      [],
    ],
    [
      "the address",
      config(),
      config({ listen: { host: "", port: 22 }, stateDir: "/s" }),
      [],
      ["listen", "state_dir"],
    ],
  ])("is told: %s", (_, before, after, changes, kept) => {
    expect(compare(before, after)).toEqual({ changes, kept });
    expect(compare(before, applicable(before, after))).toEqual({ changes, kept: [] });
  });
});

describe("the status line", () => {
  const target = (name: string, ...states: readonly string[]) =>
    ({ name, machines: states.map((state) => ({ state })) }) as unknown as TargetStatus;
  const nobody = { connections: 0, channels: [] };

  it.each([
    ["serving", [target("a")], nobody, "0 machines, 0 connections"],
    ["serving", [target("a", "failed")], nobody, "0 machines, 0 connections"],
    [
      "serving",
      [target("archiver", "ready"), target("home"), target("db", "booting")],
      { connections: 3, channels: [] },
      "2 machines (archiver ready, db booting), 3 connections",
    ],
    [
      "serving",
      [target("a", ..."abcdefg")],
      { connections: 1, channels: [] },
      "7 machines (a a, a b, a c, a d, a e, 2 more), 1 connection",
    ],
    [
      "draining",
      [target("a", "ready")],
      { connections: 1, channels: ["eve from 192.0.2.7:5 to a:22"] },
      "shutting down, waiting for 1 channel (eve from 192.0.2.7:5 to a:22): 1 machine (a ready), 1 connection",
    ],
    ["stopping", [target("a", "stopping")], nobody, "stopping: 1 machine (a stopping), 0 connections"],
  ] as const)("%s: %#", (phase, targets, usage, line) => {
    expect(statusLine(phase, targets, usage)).toBe(line);
  });
});
