import { describe, expect, it } from "vitest";
import { startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 60_000;
const visibly = { args: ["-o", "ProxyJump=boot+%h@lazyssh"] };
/** As OpenSSH shows a banner. */
const linesOf = (stderr: string) => stderr.split(/\r?\n/).filter((line) => line.startsWith("lazyssh: "));

describe.concurrent("ProxyJump boot+%h@lazyssh", () => {
  it(
    "shows each stage of the boot, and then ssh goes on as ever",
    async () => {
      await using s = await startScene();
      const { code, stdout, stderr } = await s.ssh("echo here", visibly);
      expect([code, stdout.toString()]).toEqual([0, "here\n"]);
      const lines = linesOf(stderr);
      const stages = [
        /: starting t4g\.nano in us-west-2d/,
        /: i-\w+ boots/,
        /: i-\w+ runs, its volumes/,
        /waiting until it/,
        /: ready in /,
      ];
      const places = stages.map((stage) => lines.findIndex((line) => stage.test(line)));
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      expect(lines.every((line) => line.startsWith("lazyssh: archiver: "))).toBe(true);
      expect(s.calls("RunInstances")).toBe(1);
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "is silent for a machine that is ready, and jump@ is silent always",
    async () => {
      await using s = await startScene({ target: { linger: '"10m"' } });
      const silent = await s.ssh("echo here");
      expect([silent.code, silent.stderr]).toEqual([0, ""]);
      const ready = await s.ssh("echo here", visibly);
      expect([ready.code, ready.stderr]).toEqual([0, ""]);
      expect(s.calls("RunInstances")).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "says why there is no machine",
    async () => {
      await using s = await startScene();
      const unknown = await s.ssh("true", { args: ["-o", "ProxyJump=boot+archivr@lazyssh"] });
      expect(unknown.code).toBe(255);
      expect(unknown.stderr).toMatch(/there is no target "archivr": did you mean "archiver"\?/);
      s.world.faults.set([{ action: "RunInstances", kind: "capacity" }]);
      const refused = await s.ssh("true", visibly);
      expect(refused.code).toBe(255);
      expect(refused.stderr).toMatch(/sufficient t4g\.nano capacity/);
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "calls the boot off when who waits for it leaves",
    async () => {
      await using s = await startScene({ world: { delays: { pendingMs: 60_000 } } });
      const client = s.start("ssh", [
        "-F",
        s.sshConfig,
        "-W",
        `archiver:${s.world.guestPort}`,
        "boot+archiver@lazyssh",
      ]);
      await eventually("the order", () => s.running().length === 1);
      client.process.kill("SIGKILL");
      await s.quiet();
    },
    TIMEOUT_MS,
  );

  it(
    "boots for the right key only",
    async () => {
      await using s = await startScene();
      const { user } = s.world.keys;
      const args = ["-F", s.sshConfig, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-i", user.path];
      const wrong = s.start("ssh", [
        ...args,
        "-o",
        `IdentityFile=${user.path}`,
        "-W",
        "archiver:22",
        "boot+archiver@127.0.0.1",
      ]);
      expect((await wrong.ended).code).toBe(255);
      expect(s.calls("RunInstances")).toBe(0);
    },
    TIMEOUT_MS,
  );
});
