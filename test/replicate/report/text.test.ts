import fc from "fast-check";
import { expect, it } from "vitest";
import { toText } from "../../../src/replicate/report/text.ts";
import { dataset, failed, outcome } from "./given.ts";

it("has a line for each dataset, the sums, and the errors last and in full", () => {
  const error = "the target has snapshots that the source does not have:\narchiver: backup/safe/mail@local-1";
  const text = toText(
    outcome({
      status: "partial",
      datasets: [
        dataset({ destroyed: ["backup/safe@a", "backup/safe@b"] }),
        dataset({
          source: "rpool/safe/new",
          target: "backup/safe/new",
          base: undefined,
          snapshots: ["auto-3"],
        }),
        dataset({
          source: "rpool/safe/a b",
          target: "backup/safe/a b",
          status: "current",
          snapshots: [],
          bytes: 0,
        }),
        { ...failed, status: "refused", error },
      ],
      bytes: 44_669_336,
      warnings: ["archiver has little space left"],
      errors: ["zpool export backup ended with status 1"],
      scrub: { pool: "backup", state: "finished", result: "scrub repaired 0 in 0h2m with 0 errors" },
    }),
  );
  expect(text).toBe(`safe: partial, 3 of 4 datasets came through
  rpool/safe to backup/safe: ok, 2 snapshots from rpool/safe@auto-1 to auto-3, 21.3 MiB in 4.2 s (5.1 MiB/s), 2 old ones destroyed
  rpool/safe/new to backup/safe/new: ok, 1 snapshot in full to auto-3, 21.3 MiB in 4.2 s (5.1 MiB/s)
  rpool/safe/a b to backup/safe/a b: current, newest is auto-3
  rpool/safe/mail to backup/safe/mail: refused
  42.6 MiB in 12.6 s (3.4 MiB/s) sent; boot 8.1 s; machine time 13.3 s; 14.5 s in all
  scrub of backup: finished, scrub repaired 0 in 0h2m with 0 errors
warning: archiver has little space left
error: rpool/safe/mail: the target has snapshots that the source does not have:
    archiver: backup/safe/mail@local-1
error: zpool export backup ended with status 1
`);
});

it("says so when no machine was needed, and when nothing was looked at", () => {
  const current = dataset({ status: "current", snapshots: [], bytes: 0, seconds: 0 });
  const none = { bytes: 0, seconds: 0.2, bootSeconds: undefined, machineSeconds: undefined };
  expect(toText(outcome({ ...none, datasets: [current] }))).toBe(`safe: ok, 1 dataset
  rpool/safe to backup/safe: current, newest is auto-3
  nothing was sent; no machine was needed; 200 ms in all
`);
  expect(
    toText(outcome({ ...none, status: "failed", datasets: [], errors: ["no boot"] })),
  ).toBe(`safe: failed, no dataset was looked at
  nothing was sent; no machine was needed; 200 ms in all
error: no boot
`);
  const running = outcome({
    ...none,
    status: "running",
    datasets: [],
    errors: ["process 12 runs it since 10:00"],
  });
  expect(toText(running).split("\n")[0]).toBe("safe: running already");
});

it("lets nothing that was said elsewhere move the cursor or pass for a line of the report", () => {
  const said = fc.string({
    unit: fc.constantFrom("a", " ", "\n", "\r", "\u001b[2J", "\u009b", "\u202e", "\u2028", "\t"),
  });
  fc.assert(
    fc.property(said, (text) => {
      const one = dataset({
        source: `s${text}`,
        target: `t${text}`,
        snapshots: [text],
        base: text,
        error: text,
      });
      const scrub = { pool: text, state: "failed", result: text } as const;
      const report = toText(
        outcome({ job: `j${text}`, datasets: [one], warnings: [text], errors: [text], scrub }),
      );
      expect(report).not.toMatch(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/u);
      const starts = report
        .trimEnd()
        .split("\n")
        .map((line) => /^(j|warning:|error:| {2}|$)/.test(line));
      expect(starts).not.toContain(false);
    }),
  );
});
