import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import { serveMetrics } from "../../src/observe/metrics-server.ts";
import { SimClock } from "../harness/sim-clock.ts";

async function open() {
  const clock = new SimClock();
  const events = createEventStream();
  const server = await serveMetrics({ at: { host: "127.0.0.1", port: 0 }, events, clock });
  onTestFinished(() => server.close());
  const url = `http://127.0.0.1:${server.address.port}`;
  const scrape = async () => {
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    return parse(await response.text());
  };
  let state = "absent";
  const move = (to: string, launch = "l1") => {
    events.emit({
      type: "machine.state",
      target: "archiver",
      launch,
      machine: undefined,
      from: state,
      to,
      leases: 1,
      reason: undefined,
    });
    state = to;
  };
  return { clock, events, server, url, scrape, move };
}

/**
 * Samples by name and labels. Fails on what is not the text format 0.0.4: a sample needs a TYPE before it, a HELP before
 * that, a number, and a name that no sample before it had.
 */
function parse(text: string): Map<string, number> {
  expect(text.endsWith("\n")).toBe(true);
  const samples = new Map<string, number>();
  const helped = new Set<string>();
  let family = { name: "", type: "" };
  for (const line of text.split("\n").filter(Boolean)) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) .+$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line);
    if (help?.[1]) {
      expect(helped.has(help[1])).toBe(false);
      helped.add(help[1]);
    } else if (type?.[1] && type[2]) {
      expect(helped).toContain(type[1]);
      family = { name: type[1], type: type[2] };
    } else {
      const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)$/.exec(
        line,
      );
      expect(sample, line).not.toBeNull();
      const [, name = "", labels = "", value = ""] = sample ?? [];
      const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      expect(suffixes.map((suffix) => family.name + suffix)).toContain(name);
      if (family.type === "counter") expect(name).toMatch(/_total$/);
      expect(samples.has(name + labels), line).toBe(false);
      expect(Number(value), line).not.toBeNaN();
      samples.set(name + labels, Number(value));
    }
  }
  return samples;
}

describe("metrics", () => {
  it("follow a machine through its life", async () => {
    const { clock, scrape, move } = await open();
    move("preparing");
    await clock.advance(10_000);
    move("launching");
    await clock.advance(1_000);
    move("booting");
    await clock.advance(21_000);
    move("ready");
    await clock.advance(60_000);
    const up = await scrape();
    expect(up.get('lazyssh_machines{target="archiver",state="ready"}')).toBe(1);
    expect(up.get('lazyssh_machines{target="archiver",state="booting"}')).toBe(0);
    expect(up.get('lazyssh_starts_total{target="archiver"}')).toBe(1);
    expect(up.get('lazyssh_machine_seconds_total{target="archiver"}')).toBe(82);
    expect(up.get('lazyssh_boot_seconds_sum{target="archiver"}')).toBe(22);
    expect(up.get('lazyssh_boot_seconds_bucket{le="20",target="archiver"}')).toBe(0);
    expect(up.get('lazyssh_boot_seconds_bucket{le="30",target="archiver"}')).toBe(1);

    await clock.advance(8_000);
    move("stopping");
    await clock.advance(10_000);
    move("absent");
    await clock.advance(100_000);
    const down = await scrape();
    expect([...down].filter(([name, value]) => name.startsWith("lazyssh_machines{") && value !== 0)).toEqual(
      [],
    );
    expect(down.get('lazyssh_machine_seconds_total{target="archiver"}')).toBe(100);
  });

  it("count the names of a family as one", async () => {
    const { clock, events, scrape } = await open();
    const move = (target: string, from: string, to: string) => {
      const rest = { launch: target, machine: undefined, leases: 1, reason: undefined };
      events.emit({ type: "machine.state", target, family: "*.dev", from, to, ...rest });
    };
    for (const target of ["a.dev", "b.dev"]) {
      move(target, "absent", "launching");
      move(target, "launching", "ready");
    }
    move("b.dev", "ready", "absent");
    await clock.advance(5_000);
    const samples = await scrape();
    expect(samples.get('lazyssh_machines{target="*.dev",state="ready"}')).toBe(1);
    expect(samples.get('lazyssh_starts_total{target="*.dev"}')).toBe(2);
    expect(samples.get('lazyssh_machine_seconds_total{target="*.dev"}')).toBe(5);
    expect([...samples.keys()].filter((name) => /"[ab]\.dev"/.test(name))).toEqual([]);
  });

  it("tell of a failed start by its code, and of the next that follows at once", async () => {
    const { clock, events, scrape, move } = await open();
    move("preparing");
    move("launching");
    const failed = { target: "archiver", machine: undefined, code: "NO_CAPACITY", reason: "" } as const;
    events.emit({ type: "machine.failed", ...failed });
    move("stopping");
    move("preparing", "l2");
    move("launching", "l2");
    await clock.advance(7_000);
    move("ready", "l2");
    const seen = await scrape();
    expect(seen.get('lazyssh_failures_total{target="archiver",code="NO_CAPACITY"}')).toBe(1);
    expect(seen.get('lazyssh_starts_total{target="archiver"}')).toBe(2);
    expect(seen.get('lazyssh_boot_seconds_count{target="archiver"}')).toBe(1);
    expect(seen.get('lazyssh_boot_seconds_sum{target="archiver"}')).toBe(7);
  });

  it("count connections, logins, channels, bytes, retries, leaks, limits and warnings", async () => {
    const { events, scrape } = await open();
    const who = { connection: "c1", client: "192.0.2.7:1" };
    const channel = { ...who, user: "jump", key: "", channel: 1, target: 'a "b"', port: 22 };
    const machine = { target: "archiver", machine: "i-1" };
    const seen: readonly LazysshEvent[] = [
      { type: "connection.open", ...who },
      { type: "connection.open", connection: "c2", client: "192.0.2.8:1" },
      { type: "connection.auth", ...who, accepted: true, login: "jump", user: "jump", key: "" },
      { type: "connection.auth", ...who, accepted: false, login: "root", reason: "" },
      { type: "connection.close", ...who, reason: "", seconds: 1, channels: 0, bytesUp: 0, bytesDown: 0 },
      { type: "channel.open", ...channel },
      { type: "channel.open", ...channel, channel: 2 },
      { type: "channel.close", ...channel, bytesUp: 10, bytesDown: 20, reason: "", seconds: 1 },
      { type: "channel.refused", ...channel, target: "made up", code: "UNKNOWN_TARGET", reason: "" },
      {
        type: "machine.retry",
        ...machine,
        step: "boot",
        attempt: 1,
        code: "THROTTLED",
        reason: "",
        waitMs: 1,
      },
      { type: "machine.leak_suspected", ...machine, attempt: 1, reason: "", remedy: "" },
      { type: "machine.notice", ...machine, reason: "", clients: [] },
      { type: "limit.reached", target: "archiver", limit: "budget", reason: "" },
      { type: "server.warning", reason: "" },
      { type: "config.reloaded", file: "config.hcl", changes: [], kept: [] },
      { type: "config.rejected", file: "config.hcl", problems: [""] },
      { type: "config.rejected", file: "config.hcl", problems: [""] },
      { type: "listening", host: "::1", port: 7922 },
    ];
    for (const event of seen) events.emit(event);
    const samples = await scrape();
    expect(Object.fromEntries([...samples].filter(([, value]) => value !== 0))).toEqual({
      lazyssh_connections: 1,
      lazyssh_connections_total: 2,
      'lazyssh_auth_total{result="accepted"}': 1,
      'lazyssh_auth_total{result="refused"}': 1,
      'lazyssh_channels{target="a \\"b\\""}': 1,
      'lazyssh_channels_total{target="a \\"b\\""}': 2,
      'lazyssh_bytes_total{target="a \\"b\\"",direction="up"}': 10,
      'lazyssh_bytes_total{target="a \\"b\\"",direction="down"}': 20,
      'lazyssh_channels_refused_total{code="UNKNOWN_TARGET"}': 1,
      'lazyssh_retries_total{target="archiver",code="THROTTLED"}': 1,
      'lazyssh_leak_suspected_total{target="archiver"}': 1,
      'lazyssh_notices_total{target="archiver"}': 1,
      'lazyssh_limits_reached_total{target="archiver",limit="budget"}': 1,
      'lazyssh_config_reloads_total{result="taken"}': 1,
      'lazyssh_config_reloads_total{result="rejected"}': 2,
      lazyssh_warnings_total: 1,
      [[...samples.keys()].find((name) => name.startsWith("lazyssh_info{version=")) ?? ""]: 1,
    });
  });
});

describe("the metrics listener", () => {
  it("has nothing but GET /metrics", async () => {
    const { url } = await open();
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics/x`)).status).toBe(404);
    const post = await fetch(`${url}/metrics`, { method: "POST", body: "x".repeat(100_000) });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET"]);
    expect((await fetch(`${url}/metrics?x=1`)).status).toBe(200);
  });

  it("closes although a client says nothing, and counts no more", async () => {
    const { server } = await open();
    const socket = connect(server.address.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const closed = new Promise((done) => socket.once("close", done));
    await server.close();
    await closed;
  });

  it("says which address it cannot have", async () => {
    const blocker = createServer();
    await new Promise<void>((up) => blocker.listen(0, "127.0.0.1", up));
    onTestFinished(() => void blocker.close());
    const at = { host: "127.0.0.1", port: (blocker.address() as { port: number }).port };
    const served = serveMetrics({ at, events: createEventStream(), clock: new SimClock() });
    await expect(served).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(
        new RegExp(`metrics on 127\\.0\\.0\\.1:${at.port}: .*EADDRINUSE.*server\\.metrics`),
      ),
    });
  });
});
