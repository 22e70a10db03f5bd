import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LOGGED, runProgram } from "../harness/program.ts";
import { startRecorder } from "../harness/recorder.ts";
import { type Scene, type SceneOptions, startScene } from "../harness/scene.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 120_000;

const tell = (s: Scene, file: string) => writeFileSync(join(s.world.volumeFolder, file), "");
const byHand = (s: Scene, command: string, ...more: string[]) =>
  runProgram([command, "-c", s.configFile, "--state-dir", s.stateDir, ...more]);
const limitsReached = (s: Scene) =>
  s.jump.log.filter(({ msg }) => msg === "limit.reached").map(({ limit }) => limit);
const clients = (s: Scene) =>
  s.jump.log.filter(({ msg }) => msg === "connection.open").map(({ client }) => String(client));

describe.concurrent("idle_timeout", () => {
  it(
    "cuts a connection that is silent, and its machine, with the reason; not one that moves bytes",
    async () => {
      await using s = await startScene({ target: { idle_timeout: '"8s"', linger: '"10m"' } });
      const client = await s.session(
        "until [ -e ~/volume/silent ]; do echo word; sleep 0.5; done; sleep 600",
      );
      const since = Date.now();
      await eventually("a long talk", () => Date.now() - since > 17_000, 30_000);
      expect([client.process.exitCode, limitsReached(s)]).toEqual([null, []]);

      tell(s, "silent");
      const line = await s.jump.logged("limit.reached");
      expect(line).toMatchObject({ level: "warn", target: "archiver", limit: "idle_timeout" });
      expect(line.reason).toMatch(
        /nothing has gone through .* for its idle_timeout of 8 s, and it is stopped/,
      );
      expect((await client.ended).code).toBe(255);
      expect(await s.jump.logged("channel.close")).toMatchObject({ reason: line.reason });
      await s.quiet();
      expect((await s.ssh("echo again")).stdout.toString()).toBe("again\n");
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("max_machines", () => {
  it(
    "of a target refuses who would need one more, in words that ssh shows, and touches nothing that runs",
    async ({ expect }) => {
      const target = { shared: "false", max_machines: "2" };
      await using s = await startScene({ target, volume: false });
      const [first] = await Promise.all([s.session(), s.session()]);
      const refused = await s.ssh("true");
      expect(refused.code).toBe(255);
      expect(refused.stderr).toMatch(
        /archiver: 2 machines of this target there are already, and max_machines allows no more: try again when one has ended/,
      );
      await expect.poll(() => limitsReached(s), LOGGED).toEqual(["max_machines"]);
      expect(s.running()).toHaveLength(2);
      first.process.kill("SIGKILL");
      await eventually("one machine to end", () => s.running().length === 1);
      const next = await eventually("another one to be let in", async () => {
        const { code, stdout } = await s.ssh("echo in");
        return code === 0 && stdout.toString();
      });
      expect(next).toBe("in\n");
      expect(s.calls("RunInstances")).toBe(3);
    },
    TIMEOUT_MS,
  );

  it(
    "of the server counts all its targets together",
    async () => {
      await using s = await startScene({
        server: { max_machines: "1" },
        more: (world) => `
target "builder" "aws_ec2" {
  region = "us-west-2"
  endpoint = "${world.endpoint}"
  image_id = "ami-0123456789abcdef0"
  instance_type = "t4g.nano"
  key_name = "lazyssh-dev"
  check_port = ${world.guestPort}
}`,
      });
      const client = await s.session();
      const builder = () =>
        s.start("ssh", ["-F", s.sshConfig, "-W", `builder:${s.world.guestPort}`, "lazyssh"]);
      const refused = await builder().ended;
      expect(refused.stderr).toMatch(
        /builder: 1 machine of all targets together there is already, and max_machines allows no more/,
      );
      client.process.kill("SIGKILL");
      await s.quiet();
      // The server looks at what it ends now and then, and may know a little later than the world that it is gone.
      await eventually("the builder's greeting", async () => {
        const { process: client, ended } = builder();
        const greeting = new Promise<string>((resolve) =>
          client.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString())),
        );
        const first = await Promise.race([greeting, ended.then(({ stderr }) => stderr)]);
        return first.startsWith("SSH-2.0-");
      });
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("budget", () => {
  it(
    "cuts connections when it is used up and starts nothing more that day, until a person lifts it",
    async ({ expect }) => {
      // What was used is forgotten at midnight, UTC.
      const left = () => 86_400_000 - (Date.now() % 86_400_000);
      await eventually("a day that is long enough", () => left() > TIMEOUT_MS, TIMEOUT_MS);

      const world = { delays: { shutdownMs: 5_000 } };
      await using s = await startScene({ world, blocks: "  budget { hours_per_day = 0.002 }" });
      const usedUp =
        /archiver: its budget of 0.002 hours a day is used up until midnight UTC; "lazyssh start archiver --lift"/;
      expect((await s.ssh("sleep 600")).code).toBe(255);
      expect((await s.jump.logged("channel.close")).reason).toMatch(usedUp);

      const refused = async () => {
        const { code, stderr } = await s.ssh("true");
        expect([code, stderr]).toEqual([255, expect.stringMatching(usedUp)]);
      };
      // Who comes while the machine is being ended does not get another one either.
      await refused();
      expect(s.calls("RunInstances")).toBe(1);
      await s.quiet();
      await refused();
      await expect.poll(() => limitsReached(s), LOGGED).toEqual(["budget", "budget", "budget"]);
      expect((await s.jump.stop()).code).toBe(0);
      expect(JSON.parse(readFileSync(join(s.stateDir, "usage.json"), "utf8"))).toMatchObject({ open: {} });
      await s.restart();
      await refused();
      expect((await byHand(s, "start", "archiver")).stderr).toMatch(usedUp);
      const { targets } = JSON.parse((await byHand(s, "status", "--json")).stdout);
      expect(targets[0].today.budget_seconds).toBe(7);
      expect(targets[0].today.machine_seconds).toBeGreaterThanOrEqual(7);
      expect(s.calls("RunInstances")).toBe(1);

      const lifted = await byHand(s, "start", "archiver", "--lift");
      expect([lifted.code, lifted.stdout]).toEqual([0, expect.stringContaining("archiver is ready")]);
      expect((await s.ssh("echo in")).stdout.toString()).toBe("in\n");
      expect((await byHand(s, "stop", "archiver")).code).toBe(0);
      await s.quiet();
      // Until the end of the day, for who comes later, too.
      expect((await s.ssh("echo in")).stdout.toString()).toBe("in\n");
    },
    2 * TIMEOUT_MS,
  );
});

describe.concurrent("by hand, with clients connected", () => {
  it(
    "status names them; stop leaves them alone and lists them; stop --cut ends them, with the reason",
    async ({ expect }) => {
      await using s = await startScene({ target: { linger: '"10m"' } });
      expect((await byHand(s, "start", "archiver")).code).toBe(0);
      const [machine = ""] = s.running().map(({ id }) => id);
      const connected = [await s.session("cat"), await s.session("cat")];
      const addresses = clients(s);
      expect(addresses).toHaveLength(2);

      const { targets } = JSON.parse((await byHand(s, "status", "--json")).stdout);
      const [{ leases, ...shown }] = targets[0].machines;
      expect(shown).toMatchObject({ state: "ready", machine });
      expect(leases.map(({ kind, client }: Record<string, string>) => [kind, client])).toEqual([
        ["by_hand", null],
        ...addresses.map((client) => ["channel", client]),
      ]);
      const text = (await byHand(s, "status")).stdout;
      for (const client of addresses) expect(text).toContain(`used by jump from ${client} for`);
      expect(text).toContain("kept by hand for");

      const left = await byHand(s, "stop", "archiver");
      expect([left.code, left.stdout]).toEqual([1, ""]);
      for (const client of addresses) expect(left.stderr).toContain(`${client} uses it since`);
      expect(left.stderr).toContain("lazyssh stop archiver --cut");
      expect(connected.map(({ process }) => process.exitCode)).toEqual([null, null]);
      expect(s.running().map(({ id }) => id)).toEqual([machine]);

      const cut = await byHand(s, "stop", "archiver", "--cut");
      expect([cut.code, cut.stdout]).toEqual([0, `archiver: ${machine} is being stopped\n`]);
      for (const client of connected) expect((await client.ended).code).toBe(255);
      const reasons = () =>
        s.jump.log.filter(({ msg }) => msg === "channel.close").map(({ reason }) => reason);
      await expect
        .poll(reasons, LOGGED)
        .toEqual(Array(2).fill("archiver: its machine was stopped by hand on the jump host"));
      await s.quiet();
      await s.jump.logged("machine.state", ({ to }) => to === "absent");
      expect((await byHand(s, "stop", "archiver")).stdout).toBe("archiver has no machine\n");
      expect((await s.ssh("echo again")).stdout.toString()).toBe("again\n");
    },
    TIMEOUT_MS,
  );
});

describe.concurrent("when there is no capacity", () => {
  const types = { instance_type: '["c7g.large", "t4g.nano"]' };

  /** A scene, and the orders that were given in it: what of which market, and with which token. */
  async function recorded(options: SceneOptions) {
    let recorder: Awaited<ReturnType<typeof startRecorder>> | undefined;
    const s = await startScene({
      ...options,
      endpoint: async (world) => {
        recorder = await startRecorder(world.endpoint);
        return recorder.endpoint;
      },
    });
    const orders = () =>
      (recorder?.calls ?? [])
        .filter(({ Action }) => Action === "RunInstances")
        .map((call) => ({
          what: `${call["InstanceMarketOptions.MarketType"] ?? "on-demand"} ${call.InstanceType}`,
          token: call.ClientToken,
        }));
    const dispose = async () => {
      await s[Symbol.asyncDispose]();
      await recorder?.[Symbol.asyncDispose]();
    };
    return { s, orders, [Symbol.asyncDispose]: dispose };
  }

  const launched = ({ world }: Scene) =>
    world
      .state()
      .events.flatMap(({ type, instanceType, spot }) =>
        type === "instance.launched" ? [`${spot ? "spot" : "on-demand"} ${instanceType}`] : [],
      );
  const distinct = (orders: readonly { token: string | undefined }[]) =>
    expect(new Set(orders.map(({ token }) => token)).size).toBe(orders.length);

  it(
    "of a type, the next one is ordered, each time with a token of its own",
    async () => {
      await using scene = await recorded({ target: types });
      const { s, orders } = scene;
      s.world.faults.set([{ action: "RunInstances", kind: "capacity", instanceType: "c7g.large" }]);
      for (const _ of [1, 2]) {
        expect((await s.ssh("echo up")).stdout.toString()).toBe("up\n");
        await s.quiet();
      }
      expect(launched(s)).toEqual(["on-demand t4g.nano", "on-demand t4g.nano"]);
      const both = ["on-demand c7g.large", "on-demand t4g.nano"];
      expect(orders().map(({ what }) => what)).toEqual([...both, ...both]);
      distinct(orders());
    },
    TIMEOUT_MS,
  );

  it(
    "on the spot market, the same is ordered on demand",
    async () => {
      await using scene = await recorded({ target: types, blocks: '  spot { fallback = "on-demand" }' });
      const { s, orders } = scene;
      s.world.faults.set([{ action: "RunInstances", kind: "capacity", market: "spot" }]);
      expect((await s.ssh("echo up")).stdout.toString()).toBe("up\n");
      await s.quiet();
      expect(launched(s)).toEqual(["on-demand c7g.large"]);
      expect(orders().map(({ what }) => what)).toEqual([
        "spot c7g.large",
        "spot t4g.nano",
        "on-demand c7g.large",
      ]);
      distinct(orders());
    },
    TIMEOUT_MS,
  );

  it(
    "of any of them, the start fails, and says so for each",
    async () => {
      await using scene = await recorded({ target: types, blocks: '  spot { fallback = "on-demand" }' });
      const { s, orders } = scene;
      s.world.faults.set([{ action: "RunInstances", kind: "capacity" }]);
      const { code, stderr } = await s.ssh("true");
      expect(code).toBe(255);
      expect(stderr).toMatch(
        /no t4g.nano to be had.*nor was there .* for c7g.large \(spot\), t4g.nano \(spot\), c7g.large$/m,
      );
      expect(orders()).toHaveLength(4);
      distinct(orders());
      expect(launched(s)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
