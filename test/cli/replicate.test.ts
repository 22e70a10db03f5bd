import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type JobFlags, jobOfWays, jobWithFlags } from "../../src/cli/replicate-job.ts";
import { withOwnJump } from "../../src/cli/replicate-jump.ts";
import { nameOfWays, readWords } from "../../src/cli/replicate-words.ts";
import { DEFAULT_JOB, type ReplicateJob } from "../../src/config/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { runProgram } from "../harness/program.ts";
import { tempDir } from "../harness/temp.ts";
import { runHere } from "./run-here.ts";

const push = { direction: "push", target: "host", source: "tank/a", destination: "b/c" } as const;
const file: ReplicateJob = {
  ...DEFAULT_JOB,
  name: "safe",
  source: "tank/a",
  target: "host",
  destination: "b/c",
};

describe("the words", () => {
  test.each([
    [[], { kind: "jobs", names: [] }],
    [["safe", "home"], { kind: "jobs", names: ["safe", "home"] }],
    [["tank", "host:b"], { kind: "datasets", ...push, source: "tank", destination: "b" }],
    [["tank/a", "me@host:b/c"], { kind: "datasets", ...push, target: "me@host" }],
    [["host:tank/a:1", "b/c"], { kind: "datasets", ...push, direction: "pull", source: "tank/a:1" }],
    [
      ["tank/a:b", "[fe80::1%eth0]:b/c"],
      { kind: "datasets", ...push, source: "tank/a:b", target: "fe80::1%eth0" },
    ],
    [["tank/a", "user@[::1]:b/c"], { kind: "datasets", ...push, target: "user@::1" }],
    [["tank/a"], { kind: "wrong", problem: expect.stringContaining("one of two") }],
    [
      ["host:a", "other:b"],
      { kind: "wrong", problem: expect.stringContaining("one of them has to be here") },
    ],
    [["tank/a", "b/c"], { kind: "wrong", problem: expect.stringContaining("names the machine") }],
    [["tank/a", "h:b", "c"], { kind: "wrong", problem: expect.stringContaining("here are 3 words") }],
  ])("%j are read", (words, read) => {
    expect(readWords(words)).toEqual(read);
  });

  it("give the same name to the same way, another to another, and one that may be the name of a job", () => {
    const long = { ...push, source: `-${"x/é ".repeat(60)}` };
    expect(nameOfWays(push)).toBe(nameOfWays({ ...push }));
    expect(nameOfWays(push)).not.toBe(nameOfWays({ ...push, destination: "b/d" }));
    for (const ways of [push, long]) expect(nameOfWays(ways)).toMatch(/^\w[\w.-]{0,63}$/);
  });
});

describe("the flags", () => {
  const all: JobFlags = {
    ...{
      ssh: "/opt/ssh",
      sshConfig: "cfg",
      identity: "/k",
      option: ["A=b", "C d"],
      jump: "j",
      port: "22",
      login: "u",
    },
    ...{
      zfs: "/z",
      remoteZfs: "z",
      bootTimeout: "5m",
      recursive: true,
      exclude: ["tank/a/x"],
      snapshots: ["auto*"],
    },
    ...{
      skipSnapshots: ["*frequent*"],
      raw: true,
      compress: "lz4",
      rateLimit: "20MiB",
      intermediates: false,
    },
    ...{
      keep: "last=4,daily=7",
      before: '["a", "$\\u007bb}"]',
      after: '["c", "\\f\\\\f\\b\\u0001"]',
      timeout: "30h",
    },
    ...{ stallTimeout: "1m", maxAge: "1d", scrubEvery: "30d" },
  };
  const settings = {
    ...{ recursive: true, exclude: ["tank/a/x"], snapshots: { include: ["auto*"], exclude: ["*frequent*"] } },
    ssh: {
      ...{
        program: "/opt/ssh",
        config: join(process.cwd(), "cfg"),
        user: "u",
        identity: "/k",
        jump: "j",
        port: 22,
      },
      options: ["A=b", "C d"],
    },
    ...{ zfs: "/z", remoteZfs: "z", before: ["a", "$".concat("{b}")], after: ["c", "\f\\f\b\u0001"] },
    send: { raw: true, compress: "lz4", rateLimit: 20 * 2 ** 20, intermediates: false },
    keep: { last: 4, hourly: 0, daily: 7, weekly: 0, monthly: 0, yearly: 0 },
    ...{ bootTimeoutMs: 300_000, timeoutMs: 30 * 3_600_000, stallTimeoutMs: 60_000 },
    ...{ maxAgeMs: 86_400_000, scrubEveryMs: 30 * 86_400_000 },
  };

  it("say all of a job that is in no file", () => {
    expect(jobOfWays(push, { ...all, name: "mine" })).toEqual({
      job: { ...file, name: "mine", ...settings },
      warnings: [],
    });
    expect(jobOfWays(push, {})).toEqual({ job: { ...file, name: nameOfWays(push) }, warnings: [] });
  });

  it("take the place of what a file says, and leave the rest of it", () => {
    expect(jobWithFlags(file, all)).toEqual({ job: { ...file, ...settings }, warnings: [] });
    const full: ReplicateJob = { ...file, ...(settings as Partial<ReplicateJob>) };
    expect(jobWithFlags(full, {})).toEqual({ job: full, warnings: [] });
    expect(jobWithFlags(full, { jump: "other", keep: "all" })).toEqual({
      job: { ...full, keep: undefined, ssh: { ...full.ssh, jump: "other" } },
      warnings: [],
    });
  });

  test.each<[JobFlags, string]>([
    [{ port: "x" }, "-p: "],
    [{ compress: "bz2" }, '--compress: It must be one of "auto"'],
    [{ rateLimit: "fast" }, "--rate-limit: "],
    [{ keep: "daily" }, "--keep: counts are needed"],
    [{ keep: "daily=1,daily=2" }, "--keep: counts are needed"],
    [{ keep: "last=0" }, "--keep: Nothing would be kept"],
    [{ before: "zpool import" }, "--before: a JSON list"],
    [{ after: "[]" }, "--after: "],
    [{ maxAge: "5" }, "--max-age: "],
    [{ option: ["-x"] }, "-o: "],
    [{ exclude: ["other"], recursive: true }, "--exclude: Nothing to exclude"],
    [{ name: "check" }, "--name: "],
    [{ jump: "-oProxyCommand=x" }, "-J: "],
  ])("%j are refused by name", (flags, words) => {
    expect(jobOfWays(push, flags)).toEqual({ problems: [expect.stringContaining(words)] });
  });
});

describe("a target of the same file", () => {
  const fake = (prints: string) => {
    const program = join(tempDir(), "ssh");
    writeFileSync(program, `#!/bin/sh\nprintf '${prints}'\n`);
    chmodSync(program, 0o755);
    return { ...file, ssh: { ...file.ssh, program } };
  };
  const options = { targets: ["env-*", "host"], env: {}, clock: systemClock };

  test.each([
    ["127.0.0.1", "jump@127.0.0.1:7922"],
    ["", "jump@localhost:7922"],
    ["0.0.0.0", "jump@localhost:7922"],
    ["fd00::1", "jump@[fd00::1]:7922"],
  ])("is reached through the server at %j", async (host, jump) => {
    const job = await withOwnJump(fake("hostname host\\n"), { ...options, listen: { host, port: 7922 } });
    expect(job.ssh.jump).toBe(jump);
  });

  test.each(["proxyjump lazyssh\\n", "proxycommand nc %%h\\n"])("is not when ssh has %j", async (prints) => {
    const job = await withOwnJump(fake(prints), { ...options, listen: { host: "", port: 1 } });
    expect(job.ssh.jump).toBeUndefined();
  });

  it("is the only one", async () => {
    const job = fake("hostname other\\n");
    const listen = { host: "", port: 1 };
    expect((await withOwnJump({ ...job, target: "other" }, { ...options, listen })).ssh.jump).toBeUndefined();
    expect((await withOwnJump({ ...job, target: "u@env-3" }, { ...options, listen })).ssh.jump).toBeDefined();
  });
});

describe("lazyssh replicate", () => {
  const jobs = (names: readonly string[], more = "") => {
    const dir = tempDir();
    const block = (name: string) =>
      `replicate "${name}" {\n  source = "tank/${name}"\n  target = "host.invalid"\n  destination = "b/${name}"\n${more}}\n`;
    writeFileSync(join(dir, "config.hcl"), names.map(block).join(""));
    return dir;
  };
  const run = (cwd: string, ...args: string[]) =>
    runProgram(["replicate", ...args], { cwd, env: { XDG_STATE_HOME: join(cwd, "state") } });

  it.each([[["--help"]], [["check", "--help"]], [["history", "--help"]], [["restore", "--help"]]])(
    "%j prints what is in the snapshot",
    async (args) => {
      const { code, stdout } = await runProgram(["replicate", ...args]);
      expect(code).toBe(0);
      expect(stdout).toMatchSnapshot();
    },
  );

  test.each([
    [[], "2 jobs: name some of safe, home, or give --all"],
    [["sofe"], "Did you mean safe?"],
    [["nowhere-near"], "It has: safe, home"],
    [["--all", "safe"], "not both"],
    [["safe", "--name", "x"], "--name is for"],
    [["safe", "--bogus"], "--bogus"],
    [["safe", "--port"], "--port"],
    [["safe", "-c", "none.hcl"], 'no file "none.hcl"'],
    [["tank/a", "host:b", "--exclude", "/x"], "--exclude"],
    [["tank/a"], "give SRC TARGET:DST"],
    [["check", "safe"], "--max-age 1h"],
    [["check", "safe", "--max-age", "old"], "--max-age"],
    [["history", "other"], 'nothing is known of a job "other"'],
    [["history", "--limit", "0"], "whole number"],
    [["restore", "--all"], "--all"],
    [["restore", "safe", "--to", "a@b"], "--to: "],
    [["restore", "safe", "--snapshot", "a@b"], "--snapshot: "],
    [["restore", "safe", "home"], "one job at a time"],
  ])("ends %j with 2", async (args, words) => {
    const dir = jobs(["safe", "home"]);
    const { code, stdout, stderr } = await runHere([
      ...["replicate", ...args, "--state-dir", join(dir, "state")],
      ...(args.includes("-c") ? [] : ["-c", join(dir, "config.hcl")]),
    ]);
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(words)]);
  });

  it("leaves no state where it only looks, and ends with 2 where a run can leave none", async () => {
    const dir = jobs(["safe"]);
    const nowhere = ["--state-dir", join(dir, "nowhere")];
    const file = ["-c", join(dir, "config.hcl")];
    const look = await runHere(["replicate", "history", ...nowhere]);
    expect(look).toEqual({ code: 0, stdout: "", stderr: expect.stringContaining("no run is known in") });
    const offline = ["check", "safe", "--offline", "--max-age", "1h"];
    expect((await runHere(["replicate", ...offline, ...file, ...nowhere])).code).toBe(1);
    await runHere(["replicate", "safe", "--dry-run", ...file, ...nowhere]);
    expect(existsSync(join(dir, "nowhere"))).toBe(false);

    const proc = ["--state-dir", "/proc/none"];
    expect((await runHere(["replicate", "history", "safe", ...proc])).code).toBe(2);
    const run = await runHere(["replicate", "safe", ...file, ...proc]);
    expect(run).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/cannot use the state directory .*--state-dir/),
    });
  });

  it("ends with 2 when the file is not valid, and passes over one that it does not need", async () => {
    const dir = jobs([]);
    writeFileSync(join(dir, "config.hcl"), "bogus = 1\n");
    expect(await run(dir, "safe")).toMatchObject({ code: 2, stderr: expect.stringContaining("bogus") });
    const without = await run(dir, "tank/a", "host.invalid:b", "--zfs", "/no/zfs", "--json");
    expect([without.code, without.stderr]).toEqual([1, expect.stringContaining("is passed over")]);
    expect(JSON.parse(without.stdout)).toMatchObject({ status: "failed", datasets: [], exit_code: 1 });
  });

  it("ends with 1 and a report when a program is missing, and goes on with the next job", async () => {
    const dir = jobs(["safe", "home"]);
    const { code, stdout } = await run(dir, "--all", "--json", "--zfs", "/no/such/zfs");
    const reports = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { job: string; errors: string[] });
    expect(code).toBe(1);
    expect(reports.map(({ job }) => job)).toEqual(["safe", "home"]);
    for (const { errors } of reports) expect(errors.join()).toContain("/no/such/zfs");
    const past = await run(dir, "history", "safe");
    expect(past).toMatchObject({ code: 0, stdout: expect.stringContaining("failed") });
  });

  it("remembers of a run that nobody could be told of it", async () => {
    const dir = jobs(
      ["safe"],
      '  report {\n    on_failure {\n      command = ["/no/such/mail"]\n    }\n  }\n',
    );
    const file = ["-c", join(dir, "config.hcl"), "--state-dir", join(dir, "state")];
    const { code, stderr } = await runHere(["replicate", "safe", ...file, "--zfs", "/no/such/zfs"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("warning: on_failure of safe: /no/such/mail"),
    ]);
    const past = await runHere(["replicate", "history", "safe", "--json", "--state-dir", join(dir, "state")]);
    expect(
      past.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { status: "failed", warnings: [expect.stringContaining("on_failure of safe: /no/such/mail failed")] },
    ]);
  });
});
