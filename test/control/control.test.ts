import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { askServer } from "../../src/control/index.ts";
import { type Clock, systemClock } from "../../src/util/clock.ts";
import { fakeMachines, openControls, readyTarget, restingTarget } from "../harness/by-hand.ts";
import { SimClock } from "../harness/sim-clock.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";

const never = () => ({ signal: new AbortController().signal });
const start = { do: "start", target: "archiver", forMs: undefined, lift: false } as const;

async function open(machines = fakeMachines([restingTarget()]), dir = tempDir(), clock: Clock = systemClock) {
  const controls = await openControls(dir, machines, { clock });
  onTestFinished(() => controls.close());
  return { dir, machines, ...controls };
}

/** What a program that is not ours hears: every line, until the server hangs up. */
function raw(dir: string, ...said: readonly string[]): { socket: Socket; heard: Promise<unknown[]> } {
  const socket = connect({ path: join(dir, "control"), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  for (const text of said) socket.write(text);
  const heard = (async () => {
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    return text
      .split("\n")
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line));
  })();
  return { socket, heard };
}

describe("the control socket", () => {
  it("is its user's alone, in a folder that others may enter", async () => {
    const dir = tempDir();
    chmodSync(dir, 0o755);
    await open(undefined, dir);
    const made = statSync(join(dir, "control"));
    expect([made.isSocket(), (made.mode & 0o777).toString(8)]).toEqual([true, "600"]);
    expect(readdirSync(dir)).toEqual(["control"]);
  });

  it("takes the place of what a dead server left, and is gone when closed", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "control"), "");
    const { close } = await open(undefined, dir);
    expect((await askServer(dir, { do: "status", volumes: false }, never())).targets).toHaveLength(1);
    await close();
    expect(existsSync(join(dir, "control"))).toBe(false);
  });

  it("says which folder was looked at when no server is there", async () => {
    const dir = tempDir();
    const asked = askServer(dir, { do: "status", volumes: false }, never());
    await expect(asked).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: `no server uses the state directory ${dir}`,
    });
  });
});

describe("status", () => {
  it("tells of the server, its targets and their volumes", async () => {
    const machines = fakeMachines([readyTarget(7_000)]);
    machines.found = [{ id: "vol-1", state: "in-use", sizeGiB: 125, type: "sc1", holders: ["i-1"] }];
    const { dir, facts } = await open(machines);
    const told = await askServer(dir, { do: "status", volumes: true }, never());
    expect(told).toEqual(
      JSON.parse(
        JSON.stringify({ server: facts, targets: [{ ...readyTarget(7_000), volumes: machines.found }] }),
      ),
    );
  });

  it("tells the rest when the cloud does not tell of the volumes", async () => {
    const machines = fakeMachines([readyTarget(7_000)]);
    machines.found = new Error("no credentials");
    const { dir } = await open(machines);
    const { targets } = await askServer(dir, { do: "status", volumes: true }, never());
    expect(targets[0]).toMatchObject({ name: "archiver", volumesProblem: "no credentials" });
  });

  it("asks the cloud nothing when told so, nor for a target without machines", async () => {
    const machines = fakeMachines([{ ...restingTarget(), type: "forward", summary: undefined }]);
    machines.found = new Error("asked");
    const { dir } = await open(machines);
    expect((await askServer(dir, { do: "status", volumes: true }, never())).targets[0]).not.toHaveProperty(
      "volumesProblem",
    );
    machines.targets = [restingTarget()];
    expect((await askServer(dir, { do: "status", volumes: false }, never())).targets[0]).not.toHaveProperty(
      "volumesProblem",
    );
  });
});

describe("start", () => {
  it("passes on each thing that is waited for, and then that it is ready", async () => {
    const { dir, machines, seen } = await open();
    machines.boot = async ({ onWaiting }) => {
      onWaiting?.("machine i-1 is pending");
      onWaiting?.("10.0.0.7:22 refuses connections");
    };
    const waited: string[] = [];
    const onWaiting = (what: string) => waited.push(what);
    await askServer(dir, { ...start, forMs: 7_200_000, lift: true }, { ...never(), onWaiting });
    expect(waited).toEqual(["machine i-1 is pending", "10.0.0.7:22 refuses connections"]);
    expect(machines.asked).toEqual([{ hold: "archiver", forMs: 7_200_000, lift: true }]);
    expect(seen).toEqual([
      { type: "control", do: "start", target: "archiver", forMs: 7_200_000, lift: true },
    ]);
  });

  it("is taken back when who asked leaves before it is ready", async () => {
    const { dir, machines } = await open();
    machines.boot = ({ signal }) => new Promise((_, fail) => (signal.onabort = () => fail(signal.reason)));
    const patience = new AbortController();
    const asked = askServer(dir, start, { signal: patience.signal });
    await eventually("the start", () => machines.asked.length === 1);
    patience.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    await eventually("it to be taken back", () => machines.takenBack.length === 1);
  });

  it("is taken back when who asked only stops writing, because that may be all that shows of a dead one", async () => {
    const { dir, machines } = await open();
    machines.boot = ({ signal }) => new Promise((_, fail) => (signal.onabort = () => fail(signal.reason)));
    const { socket, heard } = raw(dir);
    socket.end('{"do":"start","target":"archiver"}\n');
    expect(await heard).toMatchObject([{ error: { code: "BOOT_CANCELLED" } }]);
    expect(machines.takenBack).toHaveLength(1);
  });

  it("is kept when who asked leaves after it was ready", async () => {
    const { dir, machines } = await open();
    await askServer(dir, start, never());
    await askServer(dir, { do: "status", volumes: false }, never());
    expect([machines.asked.length, machines.takenBack]).toEqual([1, []]);
  });

  it("fails with what made it fail", async () => {
    const { dir } = await open();
    await expect(askServer(dir, { ...start, target: "other" }, never())).rejects.toMatchObject({
      code: "UNKNOWN_TARGET",
      message: 'there is no target "other"',
    });
  });

  it("says so when the server ends meanwhile", async () => {
    const { dir, machines, close } = await open();
    machines.boot = () => new Promise(() => undefined);
    const asked = askServer(dir, start, never());
    await eventually("the start", () => machines.asked.length === 1);
    await Promise.all([close(), expect(asked).rejects.toMatchObject({ code: "SHUTTING_DOWN" })]);
  });
});

describe("stop", () => {
  it("passes on what it led to", async () => {
    const { dir, machines } = await open();
    machines.dropped = { machines: ["i-1"], kept: [] };
    expect(await askServer(dir, { do: "stop", target: "archiver", cut: true }, never())).toEqual(
      machines.dropped,
    );
    expect(machines.asked).toEqual([{ drop: "archiver", cut: true }]);
  });
});

describe("clients that are not ours", () => {
  it.each([
    ["no JSON", "GET / HTTP/1.1\r\n\r\n", /no JSON/],
    ["no object", "[]\n", /no object/],
    ["nothing to do", "{}\n", /"status", "start" or "stop"/],
    ["no target", '{"do":"stop"}\n', /"target"/],
    ["a time that is none", '{"do":"start","target":"archiver","forMs":-1}\n', /"forMs"/],
    ["a flag that is none", '{"do":"stop","target":"archiver","cut":"yes"}\n', /"cut"/],
    ["more than a request holds", `{"do":"${"x".repeat(70_000)}`, /at most 65536 bytes/],
  ])("are told what is wrong with %s", async (_, said, why) => {
    const { dir, machines } = await open();
    const { heard } = raw(dir, said);
    expect(await heard).toMatchObject([
      { error: { code: "BAD_REQUEST", message: expect.stringMatching(why) } },
    ]);
    expect(machines.asked).toEqual([]);
  });

  it("may write in pieces, without a line break at the end, and say more than is known", async () => {
    const { dir } = await open();
    const { socket, heard } = raw(dir, '{"do":"sta', 'tus","new":1}');
    socket.end();
    expect(await heard).toMatchObject([{ ok: { server: { version: "1.2.3" } } }]);
  });

  it("are told so when they say nothing for 10 s", async () => {
    const clock = new SimClock();
    const { dir } = await open(undefined, undefined, clock);
    const { socket, heard } = raw(dir);
    await once(socket, "connect");
    let lines: unknown[] | undefined;
    void heard.then((told) => {
      lines = told;
    });
    await eventually("the answer", async () => {
      await clock.advance(10_000);
      return lines;
    });
    expect(lines).toMatchObject([{ error: { message: "nothing was asked within 10 s" } }]);
  });

  it("are hung up on when they do not leave with their answer", async () => {
    const clock = new SimClock();
    const { dir } = await open(undefined, undefined, clock);
    const { socket, heard } = raw(dir, '{"do":"status"}\n');
    expect(await heard).toHaveLength(1);
    socket.on("error", () => undefined);
    await eventually("the end of the connection", async () => {
      await clock.advance(10_000);
      socket.write("more");
      return socket.destroyed;
    });
  });

  it("that say nothing do not keep the server from closing, or others from asking", async () => {
    const { dir, close } = await open();
    const silent = Array.from({ length: 20 }, () => raw(dir));
    const asked = Array.from({ length: 20 }, () => askServer(dir, { do: "status", volumes: true }, never()));
    expect(await Promise.all(asked)).toHaveLength(20);
    await close();
    for (const { heard } of silent) expect(await heard).toEqual([]);
  });
});
