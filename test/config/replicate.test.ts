import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDuration, parseLongDuration } from "../../src/config/duration.ts";
import { DEFAULT_JOB, loadConfig, loadFile, loadJobs, type ReplicateJob } from "../../src/config/index.ts";
import { tempDir } from "../harness/temp.ts";
import { block, HOME, readJobs as read } from "./jobs.ts";
import { load, server } from "./support.ts";

function job(body: string, env: Record<string, string> = {}): ReplicateJob {
  const { jobs, diagnostics } = read(block(body), env);
  const [one] = jobs ?? [];
  if (one === undefined || diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
  return one;
}

const bare = { name: "safe", target: "archiver", source: "rpool/safe", destination: "backup/safe" };
const { ssh, send, report } = DEFAULT_JOB;

test("a job that says no more than it must has the defaults", () => {
  expect(job("")).toEqual({ ...DEFAULT_JOB, ...bare });
  expect(DEFAULT_JOB).toMatchObject({
    direction: "push",
    recursive: false,
    snapshots: { include: ["*"], exclude: [] },
    keep: undefined,
    bootTimeoutMs: 600_000,
    timeoutMs: 90_000_000,
    stallTimeoutMs: 600_000,
  });
});

test("empty blocks are as good as none, except that of keep", () => {
  const empty = "  snapshots {}\n  ssh {}\n  send {}\n  report {}";
  expect(job(empty)).toEqual({ ...DEFAULT_JOB, ...bare });
});

test("the example has what it says", async () => {
  const env = { HOME, EVENTS_KEY: "hunter2-hunter3" };
  const { jobs, diagnostics, targets, listen } = await loadJobs({ file: "examples/replicate.hcl", env });
  expect(diagnostics).toEqual([]);
  expect({ targets, listen }).toEqual({ targets: [], listen: undefined });
  expect(jobs).toEqual([
    {
      ...DEFAULT_JOB,
      ...bare,
      recursive: true,
      exclude: ["rpool/safe/cache"],
      snapshots: { include: ["zfs-auto-snap_*"], exclude: ["*frequent*"] },
      ssh: {
        ...ssh,
        config: "/home/dana/.ssh/config",
        user: "root",
        identity: "/home/dana/.ssh/archiver",
        jump: "lazyssh",
      },
      send: { raw: true, compress: "zstd", rateLimit: 20 * 1024 ** 2, intermediates: true },
      keep: { last: 4, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 0 },
      before: ["nixos-rebuild", "switch"],
      after: ["zpool", "export", "backup"],
      timeoutMs: 25 * 3_600_000,
      stallTimeoutMs: 600_000,
      maxAgeMs: 3_600_000,
      scrubEveryMs: 30 * 24 * 3_600_000,
      report: {
        onStart: [{ kind: "url", url: "https://ping.example/start", method: "POST", headers: {} }],
        onSuccess: [
          {
            kind: "url",
            url: "https://events.example/1/events/zfs-replication",
            method: "POST",
            headers: { "X-Team": "hunter2-hunter3" },
          },
        ],
        onFailure: [{ kind: "command", argv: ["mail-me"] }],
      },
    },
  ]);
});

describe("arguments", () => {
  test.each<[string, Partial<ReplicateJob>]>([
    ['direction = "pull"', { direction: "pull" }],
    ["recursive = true", { recursive: true }],
    [
      'recursive = true\nexclude = ["rpool/safe/a b", "*/cache", "rpool/safe/*"]',
      { recursive: true, exclude: ["rpool/safe/a b", "*/cache", "rpool/safe/*"] },
    ],
    ['zfs = "/sbin/zfs"', { zfs: "/sbin/zfs" }],
    ['zfs = "~/bin/zfs"', { zfs: "/home/dana/bin/zfs" }],
    ['zfs = "./zfs"', { zfs: "/etc/lazyssh/zfs" }],
    ['remote_zfs = "~/zfs"', { remoteZfs: "~/zfs" }],
    ['before = ["sh", "-c", "true && true"]', { before: ["sh", "-c", "true && true"] }],
    ['after = ["zpool", "export", "backup"]', { after: ["zpool", "export", "backup"] }],
    ['boot_timeout = "90s"', { bootTimeoutMs: 90_000 }],
    ['timeout = "1w2d"', { timeoutMs: 9 * 86_400_000 }],
    ['stall_timeout = "1.5h"', { stallTimeoutMs: 5_400_000 }],
    ['max_age = "1d12h"', { maxAgeMs: 129_600_000 }],
    ['scrub_every = "30d"', { scrubEveryMs: 30 * 86_400_000 }],
    ['snapshots { include = ["daily:*"] }', { snapshots: { include: ["daily:*"], exclude: [] } }],
    ['snapshots { exclude = ["a b?"] }', { snapshots: { include: ["*"], exclude: ["a b?"] } }],
    ['ssh { program = "/opt/ssh" }', { ssh: { ...ssh, program: "/opt/ssh" } }],
    ['ssh { config = "ssh_config" }', { ssh: { ...ssh, config: "/etc/lazyssh/ssh_config" } }],
    ['ssh { config = "none" }', { ssh: { ...ssh, config: "none" } }],
    ['ssh { identity = "%d/.ssh/key" }', { ssh: { ...ssh, identity: "%d/.ssh/key" } }],
    ['ssh { identity = "~eve/.ssh/key" }', { ssh: { ...ssh, identity: "~eve/.ssh/key" } }],
    ['ssh { user = "backup" }', { ssh: { ...ssh, user: "backup" } }],
    [
      'ssh { jump = "boot+archiver@lazyssh:7922,b" }',
      { ssh: { ...ssh, jump: "boot+archiver@lazyssh:7922,b" } },
    ],
    ["ssh { port = 2222 }", { ssh: { ...ssh, port: 2222 } }],
    [
      'ssh { options = ["Compression=no", "LogLevel ERROR"] }',
      { ssh: { ...ssh, options: ["Compression=no", "LogLevel ERROR"] } },
    ],
    ["send { raw = false }", { send: { ...send, raw: false } }],
    ['send { compress = "lz4" }', { send: { ...send, compress: "lz4" } }],
    ['send { rate_limit = "20MiB/s" }', { send: { ...send, rateLimit: 20 * 1024 ** 2 } }],
    ["send { rate_limit = 4096 }", { send: { ...send, rateLimit: 4096 } }],
    ["send { intermediates = false }", { send: { ...send, intermediates: false } }],
    ["keep { yearly = 3 }", { keep: { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 3 } }],
  ])("%s", (body, expected) => {
    expect(job(body)).toEqual({ ...DEFAULT_JOB, ...bare, ...expected });
  });

  test("several hooks of a kind are told in the order of the file, of whichever sort", () => {
    const hooks = `report {
      on_failure { command = ["./mail-me", "-s", "x"] }
      on_failure {
        url    = "http://127.0.0.1:9/ping/fail"
        method = "GET"
      }
      on_failure { command = ["~/bin/page"] }
    }`;
    expect(job(hooks).report).toEqual({
      ...report,
      onFailure: [
        { kind: "command", argv: ["/etc/lazyssh/mail-me", "-s", "x"] },
        { kind: "url", url: "http://127.0.0.1:9/ping/fail", method: "GET", headers: {} },
        { kind: "command", argv: ["/home/dana/bin/page"] },
      ],
    });
  });

  test.each(["tank", "tank/a.b_c:d-e f/g", "Tank1/-x", `t/${"x".repeat(253)}`])("dataset %s", (name) => {
    const text = block("").replaceAll("rpool/safe", name).replaceAll("backup/safe", name);
    expect(read(text).jobs?.[0]).toMatchObject({ source: name, destination: name });
  });
});

describe("files", () => {
  test("a server's file may have jobs, which are checked with it", async () => {
    const file = join(tempDir(), "config.hcl");
    const forward = 'target "archiver" "forward" {\n  to = "192.0.2.1"\n}\n';
    writeFileSync(file, server + forward + block(""));
    const { jobs, targets, listen, files } = await loadJobs({ file, env: {} });
    expect(jobs).toEqual([{ ...DEFAULT_JOB, ...bare }]);
    expect({ targets, listen, files }).toEqual({
      targets: ["archiver"],
      listen: { host: "localhost", port: 7922 },
      files: [file],
    });
    expect((await loadConfig({ file, env: {} })).config?.jobs).toEqual(jobs);
  });

  test("a server does without a job that is wrong, or needs what only its own environment has; whoever runs it does not", () => {
    const forward = 'target "archiver" "forward" {\n  to = "192.0.2.1"\n}\n';
    const secret = '  report {\n    on_success {\n      url = env("PING_URL")\n    }\n  }';
    const text = server + forward + block("", "good") + block("  directoin = 1", "bad") + block(secret);
    const served = load(text);
    expect(served.config?.jobs.map(({ name }) => name)).toEqual(["good"]);
    expect(served.diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`)).toEqual([
      "warning: Unsupported argument",
      "warning: Invalid function argument",
    ]);
    for (const { detail } of served.diagnostics)
      expect(detail).toMatch(/The server does without this job\.$/);
    const run = read(text);
    expect([run.jobs, run.diagnostics.map(({ severity }) => severity)]).toEqual([
      undefined,
      ["error", "error"],
    ]);
    // What the server depends on too is an error for both.
    const shared = `locals {\n  to = env("NOWHERE")\n}\n${server}${forward.replace('"192.0.2.1"', "local.to")}`;
    expect(load(shared + block("  exclude = [local.to]")).config).toBeUndefined();
  });

  test("what several of them lack is told of once", () => {
    const text = `locals {\n  no = [env("NOWHERE")]\n}\n${["a", "b"].map((name) => block("  exclude = local.no", name)).join("")}`;
    const { jobs, diagnostics } = read(text);
    expect([jobs, diagnostics.map(({ summary }) => summary)]).toEqual([
      undefined,
      ["Invalid function argument"],
    ]);
  });

  test("a job is none when the server beside it is not valid", () => {
    const { jobs, diagnostics } = read(`server {}\n${block("")}`);
    expect(jobs).toBeUndefined();
    expect(diagnostics.some(({ detail }) => detail.includes('"host_key"'))).toBe(true);
  });

  test("a file of jobs only is none for a server, and says what it is for", () => {
    const { config, diagnostics } = load(block(""));
    expect(config).toBeUndefined();
    expect(diagnostics.map(({ summary, detail }) => `${summary}: ${detail}`)).toEqual([
      'Missing server block: This file has replicate blocks only: it is for "lazyssh replicate". A server needs a file with a block server { … }.',
    ]);
  });

  test("with targets it is one of a server", () => {
    const { diagnostics } = read(`${block("")}target "a" "forward" {\n  to = "h"\n}\n`);
    expect(diagnostics.map(({ summary }) => summary)).toEqual(["Missing server block"]);
  });

  test("it may have locals and variables", () => {
    const text = `variable "pool" {\n  default = "backup"\n}\nlocals {\n  dst = "\${var.pool}/x"\n}\n${block("").replace('"backup/safe"', "local.dst")}`;
    expect(read(text).jobs?.[0]?.destination).toBe("backup/x");
  });

  test("one that is not there is a diagnostic", async () => {
    const { jobs, diagnostics, files } = await loadJobs({ file: "/nowhere/jobs.hcl", env: {} });
    expect(jobs).toBeUndefined();
    expect(diagnostics[0]?.summary).toBe("Configuration file not found");
    expect(files).toEqual(["/nowhere/jobs.hcl"]);
  });

  test("files of ssh are not among those that it depends on", async () => {
    const env = { HOME, EVENTS_KEY: "x" };
    expect((await loadFile({ file: "examples/replicate.hcl", env })).files).toEqual([
      "examples/replicate.hcl",
    ]);
  });
});

test("days and weeks are units where they are said to be, and nowhere else", () => {
  expect(parseLongDuration("1w2d3h")).toEqual({ ms: 788_400_000 });
  expect(parseLongDuration("1.5d")).toEqual({ ms: 129_600_000 });
  expect(parseDuration("30d")).toHaveProperty("problem");
  fc.assert(
    fc.property(fc.stringMatching(/^\d{1,3}(ms|s|m|h)(\d{1,3}(ms|s|m|h))?$/), (text) => {
      expect(parseLongDuration(text)).toEqual(parseDuration(text));
    }),
  );
});
