import { execFileSync } from "node:child_process";
import { describe, expect } from "vitest";
import { eventually } from "../../harness/world.ts";
import { testWithZfs } from "../../harness/zfs-needs.ts";
import { change, contents, dataset, jobOf, run, useRunWorld } from "./world.ts";

const TIMEOUT_MS = 60_000;

describe("a run over a link that fails", () => {
  const world = useRunWorld();
  const usual = () => jobOf({ source: world().source, sshConfig: world().archive.sshConfig }, {});
  /** What of a job has it go this way, or slowly. */
  const through = ({ sshConfig }: { sshConfig: string }) => ({ ssh: { ...usual().ssh, config: sshConfig } });
  const slow = () => ({ send: { ...usual().send, rateLimit: 64 * 1024 } });
  const hasArrived = async (from: string, to: string) => {
    const { source, archive } = world();
    expect(await contents(archive.there, to)).toEqual(await contents(source, from));
  };

  testWithZfs(
    "connects again and goes on when the link is cut in the middle",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/cut", destination: "backup/cut" };
      await dataset(source, job.source, 1);
      await change(source, job.source, "2", 2, 2 * 1024 * 1024);
      await using relay = await archive.relay();
      const said: string[] = [];
      const { outcome } = await run(
        world(),
        { ...job, ...through(relay) },
        {
          // Within the second stream.
          say: (line) => {
            if (line.includes("new since @1") && relay.passed.up < 500_000) relay.cutAfter(800_000);
            said.push(line);
          },
        },
      );
      expect(said.join("\n")).toContain("trying again");
      expect(outcome).toMatchObject({
        status: "ok",
        errors: [],
        datasets: [{ status: "ok", snapshots: ["1", "2"] }],
      });
      await hasArrived(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "ends what does not move, and lets go of everything when it is told to",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/still", destination: "backup/still" };
      await dataset(source, job.source, 1, 1024 * 1024);
      const abort = new AbortController();
      const { outcome } = await run(
        world(),
        { ...job, ...slow() },
        {
          signal: abort.signal,
          say: (line) => {
            if (line.includes("in full")) abort.abort(new Error("SIGTERM"));
          },
        },
      );
      expect(outcome).toMatchObject({ status: "failed", datasets: [{ status: "failed", snapshots: [] }] });
      expect(outcome.errors.join()).toContain("interrupted: SIGTERM");
      expect(outcome.seconds).toBeLessThan(20);
      const partialGone = () =>
        eventually("the partial receive to be gone", () =>
          archive.there.get("guid", job.destination).then(
            () => false,
            () => true,
          ),
        );
      await partialGone();

      const late = await run(world(), { ...job, ...slow(), timeoutMs: 1_500 });
      expect(late.outcome.status).toBe("failed");
      expect(late.outcome.errors.join()).toContain("longer than 1.5 s (timeout)");
      await partialGone();
      expect((await run(world(), job)).outcome.status).toBe("ok");
      await hasArrived(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "tries again when nothing moves any more",
    async () => {
      const { source, archive } = world();
      const job = { source: "tank/silent", destination: "backup/silent", stallTimeoutMs: 3_000 };
      await dataset(source, job.source, 1, 2 * 1024 * 1024);
      await using relay = await archive.relay({ bytesPerSecond: 4 * 1024 * 1024 });
      const said: string[] = [];
      const { outcome } = await run(
        world(),
        { ...job, ...through(relay) },
        {
          say: (line) => {
            said.push(line);
            if (line.includes("in full") && said.filter((other) => other === line).length === 1)
              relay.stall();
            if (line.includes("trying again")) relay.resume();
          },
        },
      );
      expect(said.join("\n")).toMatch(/no byte has moved for 3 s.*trying again/);
      expect(outcome).toMatchObject({ status: "ok", errors: [] });
      await hasArrived(job.source, job.destination);
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "plans anew when a snapshot is pruned between the look and the send",
    async () => {
      const { source } = world();
      const job = { source: "tank/pruned", destination: "backup/pruned", recursive: true };
      await dataset(source, job.source, 1);
      await dataset(source, "tank/pruned/child", 3);
      let pruned = false;
      const { outcome } = await run(world(), job, {
        say: (line) => {
          if (pruned || !line.includes("tank/pruned: sending")) return;
          pruned = true;
          // Before the run goes on.
          for (const name of ["1", "2"]) {
            const [command, ...args] = source.wrap(["zfs", "destroy", `tank/pruned/child@${name}`]);
            execFileSync(command, args);
          }
        },
      });
      expect(outcome).toMatchObject({
        ...{ status: "ok", errors: [] },
        datasets: [{ snapshots: ["1"] }, { status: "ok", snapshots: ["3"] }],
      });
      await hasArrived("tank/pruned/child", "backup/pruned/child");
    },
    TIMEOUT_MS,
  );
});
