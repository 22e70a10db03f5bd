import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { createVolume } from "../../src/dev/cloud/volumes.ts";
import { FAULT_KINDS, type FaultRule } from "../../src/dev/ec2/fault-rules.ts";
import { devCredentialsEnv, type World } from "../../src/dev/index.ts";
import { startHost } from "../../src/host/index.ts";
import { createEventStream } from "../../src/observe/index.ts";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import { dice } from "../harness/dice.ts";
import { type LogEntry, mostAttached, mostRunning, stillRunning } from "../harness/invariants.ts";
import { directTcpip, rawClient } from "../harness/raw-client.ts";
import { startClient } from "../harness/scene.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually, startWorld } from "../harness/world.ts";

const BOOTS = 200;
const SHARE = 0.2;
/** Of targets that all share, with a volume each, and of targets with a machine for each connection. */
const SHARED = 10;
const UNSHARED = 2;
const VISITORS = { shared: 2, unshared: 3 };
/** Of the clients those that are the real ssh. */
const SSH_SHARE = 0.15;
const PORT = 2222;

type Fault = FaultRule extends infer R
  ? R extends unknown
    ? Omit<R, "action" | "times" | "probability">
    : never
  : never;

/** What EC2 may do to any call. */
const ANY: readonly Fault[] = [
  { kind: "drop-before" },
  { kind: "drop-after" },
  { kind: "error-after" },
  { kind: "throttle" },
  { kind: "deny" },
  { kind: "hang", ms: 300 },
  { kind: "error", code: "Unavailable", status: 503 },
];
const YOUNG: Fault = { kind: "not-found", ms: 2_000 };
const STALE: Fault = { kind: "stale", ms: 500 };

/** What it may do to these besides. */
const FAULTS: Readonly<Record<string, readonly Fault[]>> = {
  RunInstances: [
    { kind: "capacity" },
    { kind: "spot-price", price: 1 },
    { kind: "dies-pending", code: "Server.InternalError", reason: "a fault of the test" },
    { kind: "never-opens" },
    { kind: "silent" },
    { kind: "terminated-replay" },
  ],
  DescribeInstances: [YOUNG, STALE],
  DescribeVolumes: [STALE],
  DescribeSpotInstanceRequests: [STALE],
  AttachVolume: [
    YOUNG,
    { kind: "attach-delay", ms: 500 },
    { kind: "error", code: "IncorrectState", status: 400 },
  ],
  StopInstances: [YOUNG, { kind: "error", code: "IncorrectInstanceState", status: 400 }],
  TerminateInstances: [YOUNG, { kind: "detach-delay", ms: 500 }],
  CreateTags: [YOUNG],
  DeleteTags: [YOUNG],
};

/**
 * Rules of which one hits a share of the calls of each action, every one as often as the others: the first that hits decides. After
 * them come those that are about one action only once more, so that each has hit before long.
 */
function rules(): FaultRule[] {
  return Object.entries(FAULTS).flatMap(([action, own]) => {
    const all = [...ANY, ...own];
    const each = SHARE / all.length;
    return [
      ...all.map((fault, index): FaultRule => ({ ...fault, action, probability: each / (1 - index * each) })),
      ...own.map((fault): FaultRule => ({ ...fault, action, probability: SHARE, times: 1 })),
    ];
  });
}

interface Hit {
  readonly action: string;
  readonly kind: FaultRule["kind"];
}

/** What a refusal says, and the faults that may be why: one of these kinds, at the action that it names, if it names one. */
const CAUSES: readonly (readonly [RegExp, readonly FaultRule["kind"][]])[] = [
  [/(?<action>RunInstances) failed .* no .* to be had now/, ["capacity"]],
  [/(?<action>RunInstances) failed .* no .* to be had at 0\.5/, ["spot-price"]],
  [/the credentials lack the permission ec2:(?<action>\w+)/, ["deny"]],
  [/machine i-\w+ was terminated: .*a fault of the test/, ["dies-pending"]],
  [/not ready within 15 s \(waiting for: \S+ refuses connections\)/, ["never-opens"]],
  [/not ready within 15 s \(waiting for: .* has not sent an SSH greeting yet\)/, ["silent"]],
  // Too many of what is tried again.
  [
    /(not ready|not be started|not ended) within 15 s \(waiting for: .+\)/,
    ["drop-before", "drop-after", "error-after", "throttle", "error", "hang"],
  ],
];

function hasCause(refusal: string, hits: readonly Hit[]): boolean {
  return CAUSES.some(([text, kinds]) => {
    const match = text.exec(refusal);
    const action = match?.groups?.action;
    return (
      match !== null && hits.some((hit) => kinds.includes(hit.kind) && (action ?? hit.action) === hit.action)
    );
  });
}

const SPOT = 'spot {\n    max_price = "0.5"\n  }';

function configText({ keys, endpoint }: World, volumes: ReadonlyMap<string, string>): string {
  const target = (name: string, more: string) => `
target "${name}" "aws_ec2" {
  region        = "us-west-2"
  endpoint      = "${endpoint}"
  image_id      = "ami-0123456789abcdef0"
  instance_type = "t4g.nano"
  key_name      = "lazyssh-dev"
  check_port    = ${PORT}
  boot_timeout  = "15s"
  placement {
    availability_zone = "us-west-2d"
  }
  ${more}
}`;
  const attach = (volume: string) => `attach_volume {
    device_name = "/dev/sdf"
    volume_id   = "${volume}"
  }`;
  const market = (index: number) => (index === 0 ? SPOT : "");
  const shared = [...volumes].map(([name, volume], index) =>
    target(name, `${attach(volume)}\n  ${market(index)}`),
  );
  const unshared = Array.from({ length: UNSHARED }, (_, index) =>
    target(`own-${index}`, `shared = false\n  ${market(index)}`),
  );
  return `
server {
  listen = "127.0.0.1:0"
  host_key = <<EOF
${keys.jumpHost.private}
EOF
  authorized_key = "${keys.jumpClient.public}"
}
${[...shared, ...unshared].join("\n")}
`;
}

/** What somebody who connects gets: the machine's greeting, or words. */
type Answer =
  | { readonly greeting: string; readonly leave: () => Promise<void> }
  | { readonly refusal: string };

/** Connects with an SSH client of our own, which costs less than a process. */
async function connect(world: World, port: number, target: string): Promise<Answer> {
  const { path, private: privateKey, public: publicLine } = world.keys.jumpClient;
  const [type = "", blob = ""] = publicLine.split(" ");
  const client = await rawClient(port);
  await client.login({ path, privateKey, publicLine, type, blob: Buffer.from(blob, "base64") });
  client.send(directTcpip(target, PORT));
  await eventually(
    `an answer of ${target}`,
    async () => {
      if (client.count(MSG.GLOBAL_REQUEST) > 0) {
        await client.next(MSG.GLOBAL_REQUEST); // whether we are still there
        client.send(message(MSG.REQUEST_FAILURE));
      }
      const answered = client.count(MSG.CHANNEL_DATA) + client.count(MSG.CHANNEL_OPEN_FAILURE) > 0;
      return answered || client.count(MSG.CHANNEL_CLOSE) > 0 || client.socket.closed;
    },
    90_000,
  );
  const leave = async () => client[Symbol.asyncDispose]();
  if (client.count(MSG.CHANNEL_DATA) > 0) {
    const fields = await client.next(MSG.CHANNEL_DATA);
    fields.uint32();
    return { greeting: fields.string().toString(), leave };
  }
  const failures = client.count(MSG.CHANNEL_OPEN_FAILURE);
  const refusal = failures > 0 ? await client.next(MSG.CHANNEL_OPEN_FAILURE) : undefined;
  await leave();
  refusal?.uint32();
  refusal?.uint32();
  return { refusal: refusal?.text() ?? "" };
}

/** Connects with ssh itself. */
async function connectWithSsh(sshConfig: string, target: string): Promise<Answer> {
  const client = startClient("ssh", [
    "-F",
    sshConfig,
    "-o",
    "BatchMode=yes",
    "-W",
    `${target}:${PORT}`,
    "lazyssh",
  ]);
  let greeting = "";
  client.process.stdout.on("data", (chunk: Buffer) => {
    greeting += chunk.toString();
  });
  const ended = client.ended.then(({ stderr }): Answer => ({ refusal: stderr }));
  const leave = async () => client[Symbol.asyncDispose]();
  const greeted = eventually(`an answer of ${target}`, () => greeting.endsWith("\n"), 90_000).then(
    (): Answer => ({ greeting, leave }),
  );
  greeted.catch(() => undefined);
  return Promise.race([greeted, ended]);
}

/** Everything that came of it. */
interface Tally {
  served: number;
  readonly refusals: string[];
  readonly wrong: string[];
}

describe("two hundred boots with a fifth of all API calls failing", () => {
  it("end with nothing running and every volume free; each client got its own machine, or the cause", async () => {
    for (const [name, value] of Object.entries(devCredentialsEnv)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const roll = dice(20_261_122);
    await using w = await startWorld({
      guestPort: PORT,
      guestProgram: new URL("../fixtures/greeting-guest.mjs", import.meta.url),
      random: dice(20_261_123),
      delays: { pendingMs: 50, bootMs: 20, attachMs: 30, shutdownMs: 50, detachMs: 30 },
    });
    const { world } = w;
    const happened: LogEntry[] = [];
    world.cloud.onEvent((event) => happened.push(event));
    const decide = vi.spyOn(world.faults, "decide");
    const hits = (): Hit[] =>
      decide.mock.calls.flatMap(([action], index) => {
        const rule = decide.mock.results[index]?.value as FaultRule | undefined;
        return rule ? [{ action, kind: rule.kind }] : [];
      });

    const volumes = new Map<string, string>();
    for (let index = 0; index < SHARED; index++) {
      const { id } = createVolume(world.cloud, { zone: "us-west-2d", size: 8, type: "gp3" });
      world.cloud.rememberAlways(id);
      writeFileSync(join(world.dir, "volumes", id, "name"), id);
      volumes.set(`shared-${index}`, id);
    }
    const unshared = Array.from({ length: UNSHARED }, (_, index) => `own-${index}`);

    const configFile = join(world.dir, "boots.hcl");
    writeFileSync(configFile, configText(world, volumes), { mode: 0o600 });
    const { config, diagnostics } = await loadConfig({ file: configFile, env: {} });
    if (!config) throw new Error(JSON.stringify(diagnostics));
    const events = createEventStream();
    const warnings: string[] = [];
    events.subscribe((event) => event.type === "server.warning" && warnings.push(event.reason));
    const stateDir = tempDir();
    const choice = { path: stateDir, isDefault: false };
    const host = await startHost({ config, stateDir: choice, events, clock: systemClock });
    using _host = { [Symbol.dispose]: () => host.abandon() };
    const { port } = host.address;
    await world.writeClientFiles({ listenHost: "127.0.0.1", listenPort: port });
    const sshConfig = join(world.dir, "ssh_config");

    /** Instances of connections that have one of their own. */
    const owned = new Set<string>();
    const mistakeIn = (target: string, greeting: string): string | undefined => {
      const [, instance = "", volume] = /^SSH-2\.0-(i-\w+) (\S+)\r\n$/.exec(greeting) ?? [];
      const found = world.state().instances.find(({ id }) => id === instance);
      if (found?.tags["lazyssh:target"] !== target) return "it is not a machine of the target";
      if (found.state !== "running") return `it is ${found.state}`;
      if (volume !== (volumes.get(target) ?? "none")) return `it has volume ${volume}`;
      return owned.has(greeting) ? "another connection has it" : undefined;
    };
    const visit = async (target: string, tally: Tally): Promise<void> => {
      const answer =
        roll() < SSH_SHARE ? await connectWithSsh(sshConfig, target) : await connect(world, port, target);
      if ("refusal" in answer) {
        tally.refusals.push(answer.refusal);
        return;
      }
      const { greeting, leave } = answer;
      const mistake = mistakeIn(target, greeting);
      if (mistake !== undefined)
        tally.wrong.push(`${target} answered ${JSON.stringify(greeting)}: ${mistake}`);
      tally.served += 1;
      if (!volumes.has(target)) owned.add(greeting);
      await systemClock.sleep(roll() * 200);
      owned.delete(greeting);
      await leave();
    };
    const boots = () => happened.filter(({ type }) => type === "instance.launched").length;
    const launches = () =>
      existsSync(join(stateDir, "launches")) ? readdirSync(join(stateDir, "launches")) : [];
    const quiet = () =>
      eventually(
        "every machine to be gone, every volume to be free, and the journal to be empty",
        () =>
          stillRunning(happened).length === 0 &&
          [...volumes.values()].every((id) => world.cloud.volumes.get(id)?.state === "available") &&
          launches().length === 0,
        120_000,
      );

    const tally: Tally = { served: 0, refusals: [], wrong: [] };
    const visitors = [
      ...[...volumes.keys()].flatMap((name) => Array<string>(VISITORS.shared).fill(name)),
      ...unshared.flatMap((name) => Array<string>(VISITORS.unshared).fill(name)),
    ];
    world.faults.set(rules());
    const began = Date.now();
    await Promise.all(
      visitors.map(async (target) => {
        while (boots() < BOOTS) await visit(target, tally);
      }),
    );
    // The faults go on: this is how it ends with them, too.
    await quiet();
    const injected = hits();
    const counts = Object.fromEntries(
      FAULT_KINDS.map((kind) => [kind, injected.filter((hit) => hit.kind === kind).length]),
    );
    const calls = decide.mock.calls.length;
    console.log(
      `${boots()} boots in ${Math.round((Date.now() - began) / 1_000)} s: ${tally.served} clients served, ` +
        `${tally.refusals.length} refused; ${injected.length} of ${calls} calls failed: ${JSON.stringify(counts)}`,
    );

    // Without them it works as if nothing had been.
    world.faults.clear();
    const after: Tally = { served: 0, refusals: [], wrong: [] };
    const targets = [...volumes.keys(), ...unshared];
    await Promise.all(targets.map((target) => visit(target, after)));
    await quiet();
    expect(after).toEqual({ served: targets.length, refusals: [], wrong: [] });
    await host.close("test");
    expect(host.running()).toEqual([]);

    expect(boots()).toBeGreaterThanOrEqual(BOOTS);
    expect(tally.wrong).toEqual([]);
    expect(tally.refusals.filter((refusal) => !hasCause(refusal, injected))).toEqual([]);
    expect(tally.served).toBeGreaterThan(tally.refusals.length);
    for (const kind of FAULT_KINDS) expect([kind, counts[kind]]).not.toEqual([kind, 0]);
    expect(injected.length / calls).toBeGreaterThan(SHARE - 0.05);
    // What nobody looked after would have been ended by a later comparison, and be a leak until then.
    expect(warnings.filter((reason) => reason.includes("nobody looks after"))).toEqual([]);
    for (const [name, id] of volumes) {
      expect(mostAttached(happened, id)).toBe(1);
      expect(mostRunning(happened, name)).toBe(1);
    }
  }, 300_000);
});
