import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runPipeline, type Stage } from "../../../src/replicate/pipeline/pipeline.ts";
import { requires } from "../../harness/requires.ts";
import { tempDir } from "../../harness/temp.ts";
import { eventually } from "../../harness/world.ts";
import { marked, script } from "./stages.ts";

const BYTES = 3_000_000;
const NAMES = ["send", "squeeze", "receive"] as const;

/** A pipeline that works: what arrives is in `file`, and `ended` is there once the last stage has seen the end of its input. */
function whole(): { stages: Stage[]; file: string; ended: string } {
  const file = join(tempDir(), "arrived");
  const ended = `${file}.ended`;
  const stages = [
    script("send", `head -c ${BYTES} /dev/zero`),
    script("squeeze", "cat"),
    script("receive", 'cat > "$1"; : > "$2"', file, ended),
  ];
  return { stages, file, ended };
}

/** Those that were killed take a moment to be gone. */
async function allGone(alive: () => readonly string[]): Promise<void> {
  await eventually("all processes to be gone", () => alive().length === 0, 2_000);
}

/** What a stage does wrong. `$IN` is what it reads. */
const FAULTS: Record<string, { text: string; says: RegExp }> = {
  "exits with a status at once": {
    text: "echo no such thing >&2; exit 3",
    says: /exited with status 3: no such thing/,
  },
  "exits with a status after a half": { text: "head -c 1500000 $IN; exit 3", says: /exited with status 3/ },
  "exits with a status after all": { text: `head -c ${BYTES} $IN; exit 3`, says: /exited with status 3/ },
  "is killed after a half": { text: "head -c 1500000 $IN; kill -KILL $$", says: /was ended by SIGKILL/ },
  "ends by SIGTERM after all": { text: `head -c ${BYTES} $IN; kill $$`, says: /was ended by SIGTERM/ },
  "loses its reader, it seems": { text: `head -c ${BYTES} $IN; kill -PIPE $$`, says: /was ended by SIGPIPE/ },
  "keeps still after a half": {
    text: "head -c 1500000 $IN; exec sleep 600",
    says: /no byte has moved for|did not exit/,
  },
  "leaves a process behind": {
    text: `head -c 1500000 $IN; sleep 600 & exit 4`,
    says: /exited with status 4/,
  },
};

const CASES = NAMES.flatMap((name, index) =>
  Object.entries(FAULTS).map(([fault, { text, says }]) => ({ name, index, fault, text, says })),
);

describe("a pipeline", () => {
  it("is well when all of its stages are, and counts what passes the meter", async () => {
    const { stages, file, ended } = whole();
    const { options, alive } = marked(stages);
    const result = await runPipeline({ ...options, meterAfter: 1 });
    expect(result).toMatchObject({ ok: true, bytes: BYTES, failure: undefined, stalled: false });
    expect(result.stages.map(({ name, status }) => [name, status])).toEqual(NAMES.map((name) => [name, 0]));
    expect(statSync(file).size).toBe(BYTES);
    expect(existsSync(ended)).toBe(true);
    await allGone(alive);
  });

  it.each(CASES)("fails, and says why, when $name $fault", async ({ name, index, fault, text, says }) => {
    const { stages, ended } = whole();
    const input = index === 0 ? "/dev/zero" : "/dev/stdin";
    stages[index] = script(name, text.replaceAll("$IN", input));
    const { options, alive } = marked(stages);
    const stallMs = fault.startsWith("keeps still") ? 2_000 : options.stallMs;
    const result = await runPipeline({ ...options, stallMs });
    expect(result.ok).toBe(false);
    expect(result.failure).toMatch(says);
    expect(result.failure).toMatch(new RegExp(`^(no byte has moved for 2 s: )?${name} `));
    expect(result.stalled).toBe(fault.startsWith("keeps still"));
    // The receiver was never told that this is the end.
    expect(existsSync(ended)).toBe(false);
    await allGone(alive);
  });

  it.each([
    ["squeeze", 1],
    ["receive", 2],
  ] as const)("fails when %s exits with 0 before the end of its input", async (name, index) => {
    const { stages, ended } = whole();
    stages[index] = script(name, "head -c 100000 >/dev/null");
    const { options, alive } = marked(stages);
    const result = await runPipeline(options);
    expect(result).toMatchObject({ ok: false, stalled: false });
    expect(result.failure).toMatch(new RegExp(`^${name} exited with status 0, but`));
    expect(existsSync(ended)).toBe(false);
    await allGone(alive);
  });

  it("fails when the last stage leaves the last bytes of a small stream unread", async () => {
    const { options } = marked([
      script("send", "echo 12345678"),
      // Without a buffer, so that it takes no more than it wants.
      script("receive", "dd bs=1 count=4 2>/dev/null; sleep 0.2"),
    ]);
    const result = await runPipeline(options);
    expect(result.failure).toMatch(/^receive exited with status 0, but has not read all/);
  });

  it.each(NAMES.map((name, index) => ({ name, index })))(
    "fails when $name can not be started",
    async ({ name, index }) => {
      const { stages, ended } = whole();
      stages[index] = { name, argv: ["lazyssh-no-such-program"] };
      const { options, alive } = marked(stages);
      const result = await runPipeline(options);
      expect(result.failure).toContain(
        `${name} could not be started: there is no program lazyssh-no-such-program`,
      );
      expect(existsSync(ended)).toBe(false);
      await allGone(alive);
    },
  );

  it("names the cause first, and those that ended because of it after", async () => {
    const { options } = marked([
      script("send", "exec cat /dev/zero"),
      script("squeeze", "exec cat"),
      script("ssh zfs recv", "head -c 1000 >/dev/null; echo 'cannot receive: dataset is busy' >&2; exit 1"),
    ]);
    const { failure } = await runPipeline(options);
    expect(failure).toMatch(
      /^ssh zfs recv exited with status 1: cannot receive: dataset is busy; after that send was/,
    );
  });

  it("does not take one that lost its reader for the cause", async () => {
    const about = join(tempDir(), "about");
    const { options } = marked([
      script("send", 'until [ -e "$1" ]; do sleep 0.01; done; head -c 1000 /dev/zero; kill -PIPE $$', about),
      script("receive", ': > "$1"; sleep 0.1; exit 5', about),
    ]);
    expect((await runPipeline(options)).failure).toBe(
      "receive exited with status 5; after that send was ended by SIGPIPE",
    );
  });

  it("ends what a stage has left behind, also when all is well", async () => {
    const { options, alive } = marked([
      script("send", "echo 1; sleep 600 >/dev/null 2>&1 &"),
      script("receive", "cat; sleep 600 </dev/null >/dev/null 2>&1 &"),
    ]);
    expect(await runPipeline(options)).toMatchObject({ ok: true, bytes: 2 });
    await allGone(alive);
  });

  it("is over in bounded time when a process takes no notice", async () => {
    const { stages, ended } = whole();
    stages[0] = script("send", "sleep 600 & head -c 1000 /dev/zero");
    const held = marked(stages);
    const deaf = join(tempDir(), "deaf");
    const stubborn = marked([
      script("send", 'until [ -e "$1" ]; do sleep 0.01; done; echo 1; exit 1', deaf),
      script("receive", `trap '' TERM; : > "$1"; while :; do sleep 600; done`, deaf),
    ]);
    const [first, second] = await Promise.all([runPipeline(held.options), runPipeline(stubborn.options)]);
    expect(first.failure).toMatch(/^send exited, but a process that it left behind keeps its output open/);
    expect(second.failure).toBe("send exited with status 1; after that receive was ended by SIGKILL");
    expect(existsSync(ended)).toBe(false);
    await allGone(held.alive);
    await allGone(stubborn.alive);
  });

  it("says which side does not move", async () => {
    const slow = { stallMs: 2_000 };
    const mute = marked([
      script("send", "exec sleep 600"),
      script("squeeze", "exec cat"),
      script("receive", "exec cat"),
    ]);
    expect((await runPipeline({ ...mute.options, ...slow, meterAfter: 1 })).failure).toMatch(
      /^no byte has moved for 2 s: send sends nothing/,
    );
    const deaf = marked([script("send", "exec cat /dev/zero"), script("receive", "exec sleep 600")]);
    expect((await runPipeline({ ...deaf.options, ...slow })).failure).toMatch(
      /^no byte has moved for 2 s: receive does not take what it is sent/,
    );
    await allGone(mute.alive);
    await allGone(deaf.alive);
  });

  it("waits for the last stage as long as it is told to, after the end of the stream", async () => {
    const stages = (last: string) => [script("send", "echo 1"), script("receive", `cat >/dev/null; ${last}`)];
    const patient = { ...marked(stages("sleep 3")).options, stallMs: 2_000, endMs: 20_000 };
    expect(await runPipeline(patient)).toMatchObject({ ok: true });
    expect(await runPipeline({ ...marked(stages("exec sleep 600")).options, endMs: 200 })).toMatchObject({
      stalled: true,
      failure: expect.stringMatching(/^receive did not exit within 200 ms after the end of the stream/),
    });
  });

  it("is ended by its signal, with all that it has started", async () => {
    const { stages, ended } = whole();
    stages[0] = script("send", "head -c 1000 /dev/zero; exec sleep 600");
    const { options, alive } = marked(stages);
    const abort = new AbortController();
    const run = runPipeline({ ...options, signal: abort.signal });
    await eventually("the stages", () => alive().length >= 3);
    abort.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    expect(existsSync(ended)).toBe(false);
    await allGone(alive);
    await expect(runPipeline({ ...options, signal: abort.signal })).rejects.toThrow("enough");
  });

  it("gives its stages pipes of the kernel, as zfs needs them", async () => {
    const look = "test -p /dev/stdout && echo fine && cat >/dev/null";
    const { options } = marked([script("send", look), script("receive", "test -p /dev/stdin && exec cat")]);
    expect(await runPipeline(options)).toMatchObject({ ok: true, bytes: 5 });
  });

  it("carries every byte", async () => {
    const dir = tempDir();
    const block = randomBytes(1_000_003);
    const data = Buffer.concat(Array.from({ length: 64 }, () => block));
    writeFileSync(join(dir, "in"), data);
    const { options } = marked([
      script("send", 'exec cat "$1"', join(dir, "in")),
      script("squeeze", "exec cat"),
      script("receive", 'exec cat > "$1"', join(dir, "out")),
    ]);
    expect(await runPipeline(options)).toMatchObject({ ok: true, bytes: data.length });
    const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    expect(digest(readFileSync(join(dir, "out")))).toBe(digest(data));
  });

  it("keeps the end of what a stage says", async () => {
    const { options } = marked([
      script("send", "head -c 300000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last words >&2; exit 1"),
      script("receive", "exec cat"),
    ]);
    const { failure, stages } = await runPipeline(options);
    expect(stages[0]?.stderr).toHaveLength(64 * 1024);
    expect(failure).toMatch(/last words; after that/);
  });

  it("holds to its rate, tells of its progress, and does not take waiting for a stall", async () => {
    const told: number[] = [];
    const { options } = marked([script("send", "head -c 1000000 /dev/zero"), script("receive", "exec cat")]);
    const result = await runPipeline({
      ...options,
      rateLimit: 1_000_000,
      stallMs: 500,
      onProgress: ({ bytes }) => told.push(bytes),
    });
    expect(result).toMatchObject({ ok: true, bytes: 1_000_000 });
    expect(result.seconds).toBeGreaterThan(0.95);
    expect(told.length).toBeGreaterThan(2);
    expect(told.at(-1)).toBe(1_000_000);
  });
});

describe("a compressed stream", () => {
  const itWith = requires("zstd");

  itWith("is never whole when it was cut or changed on its way", async () => {
    const ways = {
      "head -c 1500000; cat >/dev/null": false,
      "head -c 1000000; head -c 1000 /dev/zero; tail -c +1001": false,
      "exec cat": true,
    };
    for (const [way, ok] of Object.entries(ways)) {
      const { options } = marked([
        script("send", "head -c 3000000 /dev/urandom"),
        { name: "zstd", argv: ["zstd", "-q", "-c"] },
        script("wire", way),
        { name: "zstd -d", argv: ["zstd", "-q", "-d", "-c"] },
        script("receive", "exec cat"),
      ]);
      const result = await runPipeline({ ...options, meterAfter: 1 });
      expect([way, result.ok]).toEqual([way, ok]);
      if (!ok) expect(result.failure).toMatch(/^zstd -d exited with status 1: /);
    }
  });
});
