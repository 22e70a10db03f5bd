import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSession, type SessionOptions } from "../../../src/replicate/ssh/session.ts";
import { stayAlive, systemClock } from "../../../src/util/clock.ts";
import { type Scene, startScene } from "../../harness/scene.ts";
import { eventually } from "../../harness/world.ts";

const TIMEOUT_MS = 90_000;
const never = new AbortController().signal;

let awake: Disposable;
beforeAll(() => {
  awake = stayAlive();
});
afterAll(() => awake[Symbol.dispose]());

function open(s: Scene, options: Partial<SessionOptions> = {}) {
  return openSession({
    ssh: {
      program: "ssh",
      config: s.sshConfig,
      user: undefined,
      identity: undefined,
      jump: undefined,
      port: undefined,
      options: [],
    },
    target: "archiver",
    clock: systemClock,
    signal: never,
    bootTimeoutMs: 60_000,
    ...options,
  });
}

describe.concurrent("a session through the jump host", () => {
  it(
    "boots the machine, keeps it, and lets it go",
    async () => {
      await using s = await startScene();
      const session = await open(s);
      await session.settled;
      expect(session.shared).toBe(true);
      expect(session.bootSeconds).toBeGreaterThan(0.2);
      const words = ["a b", "it's"];
      expect(await session.side.run(["printf", "%s|", ...words], { signal: never })).toMatchObject({
        status: 0,
        stdout: "a b|it's|",
      });
      expect(s.running().length).toBe(1);
      expect(s.calls("RunInstances")).toBe(1);
      await session.close();
      await s.quiet();
      expect(s.calls("RunInstances")).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    "tells why the machine does not come",
    async () => {
      await using s = await startScene({ target: { image_id: '"ami-00000000000000000"' } });
      const refused = open(s);
      await expect(refused).rejects.toMatchObject({ kind: "jump", code: "CONNECT_FAILED" });
      await expect(refused).rejects.toThrow("ami-00000000000000000");
    },
    TIMEOUT_MS,
  );

  it(
    "lets a machine go that is not waited for any more",
    async () => {
      await using s = await startScene({ world: { delays: { bootMs: 20_000 } } });
      const abort = new AbortController();
      const left = open(s, { signal: abort.signal });
      left.catch(() => undefined);
      await eventually("a machine", () => s.running().length === 1);
      abort.abort(new Error("not wanted"));
      await expect(left).rejects.toThrow("not wanted");
      await s.quiet(30_000);
    },
    TIMEOUT_MS,
  );

  it(
    "is lost with its machine, and asks for no other",
    async () => {
      await using s = await startScene();
      const session = await open(s);
      const id = s.running()[0]?.id;
      await s.befall(`kill/${id}`);
      await eventually("the loss to be told of", () => session.lost.aborted, 30_000);
      expect((await session.side.run(["true"], { signal: never })).status).toBe(255);
      expect(s.calls("RunInstances")).toBe(1);
      await session.close();
    },
    TIMEOUT_MS,
  );
});
