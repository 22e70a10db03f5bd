import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Hook } from "../../../src/config/replicate.ts";
import { runHooks } from "../../../src/replicate/report/hooks.ts";
import { type Clock, systemClock } from "../../../src/util/clock.ts";
import { SimClock } from "../../harness/sim-clock.ts";
import { tempDir } from "../../harness/temp.ts";
import { eventually } from "../../harness/world.ts";

const never = new AbortController().signal;
const report = { job: "safe", status: "partial", exit_code: 3 };
/** Does not wait between tries, and has deadlines of its own. */
const hasty: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => (ms < 5_000 ? Promise.resolve() : systemClock.sleep(ms, signal)),
};

function run(hooks: readonly Hook[], clock: Clock = hasty, signal = never) {
  return runHooks(hooks, {
    report,
    event: "failure",
    env: { ...process.env, SERVICE_RESULT: "exit-code" },
    clock,
    signal,
  });
}

/** Answers with these statuses in turn, the last one for ever; 0: never. */
async function listener(...statuses: number[]) {
  const requests: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const status = statuses[Math.min(requests.length, statuses.length - 1)] ?? 200;
      requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      if (status !== 0) response.writeHead(status, { location: "/elsewhere-SECRET" }).end("SECRET words");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hook = (method = "POST"): Hook => ({
    kind: "url",
    url: `${origin}/SECRET/ping?key=SECRET`,
    method,
    headers: { "X-Team": "SECRET" },
  });
  return { origin, requests, hook };
}

const command = (...argv: string[]): Hook => ({ kind: "command", argv });
const shell = (script: string, ...args: string[]): Hook => command("sh", "-c", script, "sh", ...args);

describe("URLs", () => {
  it("get the report as JSON, with their headers", async () => {
    const { requests, hook } = await listener(200);
    expect(await run([hook()])).toEqual({ warnings: [] });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      method: "POST",
      url: "/SECRET/ping?key=SECRET",
      headers: { "content-type": "application/json", "x-team": "SECRET" },
    });
    expect(JSON.parse(requests[0]?.body ?? "")).toEqual(report);
  });

  it.each(["GET", "HEAD"])("of %s get no body", async (method) => {
    const { requests, hook } = await listener(204);
    expect(await run([hook(method)])).toEqual({ warnings: [] });
    expect(requests[0]).toMatchObject({ method, body: "" });
    expect(requests[0]?.headers["content-type"]).toBeUndefined();
  });

  it.each([
    ["500 then 200", [500, 200], 2, undefined],
    ["429 then 200", [429, 200], 2, undefined],
    ["503 for ever", [503], 3, "answered with status 503, and was tried 3 times"],
    ["404", [404], 1, "answered with status 404"],
    ["301", [301], 1, "answered with status 301: redirects are not followed, give the URL they lead to"],
  ])("that answer %s", async (_, statuses, tries, warning) => {
    const { origin, requests, hook } = await listener(...statuses);
    const { warnings } = await run([hook()]);
    expect(requests).toHaveLength(tries);
    expect(warnings).toEqual(warning === undefined ? [] : [`on_failure of safe: ${origin} ${warning}`]);
  });

  it("that nobody listens at, or that are not valid, are told of without their secrets", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    const url = `http://user:SECRET@127.0.0.1:${port}/SECRET`;
    const { warnings } = await run([
      { kind: "url", url, method: "POST", headers: {} },
      { kind: "url", url: "SECRET", method: "POST", headers: {} },
      { kind: "url", url, method: "POST", headers: { "X-Team": "SECRET\n" + "\u0000SECRET" } },
    ]);
    expect(warnings).toEqual([
      `on_failure of safe: http://127.0.0.1:${port} could not be reached: ECONNREFUSED, and was tried 3 times`,
      "on_failure of safe: a URL that is not valid could not be asked: URL, method or headers are not valid",
      `on_failure of safe: http://127.0.0.1:${port} could not be asked: URL, method or headers are not valid`,
    ]);
  });

  it("that never answer are given up after three times 10 s", async () => {
    const { requests, hook } = await listener(0);
    const clock = new SimClock();
    const told = run([hook()], clock);
    for (let tries = 1; tries <= 3; tries++) {
      await eventually("a request", () => requests.length === tries);
      await clock.advance(10_000);
      if (tries < 3)
        await eventually("a pause", async () => {
          await clock.advance(500);
          return requests.length > tries;
        });
    }
    expect((await told).warnings).toEqual([
      expect.stringContaining("did not answer within 10 s, and was tried 3"),
    ]);
  });

  it("are given up when the program ends", async () => {
    const { requests, hook } = await listener(0);
    const end = new AbortController();
    const told = run([hook()], systemClock, end.signal);
    await eventually("the request", () => requests.length === 1);
    end.abort(new Error("SIGTERM"));
    expect((await told).warnings).toEqual([expect.stringContaining("was given up, as the program ends")]);
  });
});

describe.concurrent("commands", () => {
  it("get the report as standard input, and what matters as variables", async (test) => {
    const file = join(tempDir(test), "told");
    const script =
      'cat > "$1"; echo "$LAZYSSH_EVENT $LAZYSSH_JOB $LAZYSSH_STATUS $LAZYSSH_EXIT_CODE $SERVICE_RESULT" >> "$1"';
    expect(await run([shell(script, file)])).toEqual({ warnings: [] });
    expect(readFileSync(file, "utf8")).toBe(`${JSON.stringify(report)}\nfailure safe partial 3 exit-code\n`);
  });

  it("that fail are told of in order, without their arguments, and others still run", async (test) => {
    const file = join(tempDir(test), "told");
    const { warnings } = await run([
      shell('echo "no mail for $1" >&2; exit 1', "SECRET"),
      shell('echo ok > "$1"', file),
      shell("kill -9 $$"),
      command("/nowhere/mail-me"),
    ]);
    expect(warnings).toEqual([
      "on_failure of safe: sh exited with status 1: no mail for …",
      "on_failure of safe: sh was ended by SIGKILL",
      expect.stringContaining("there is no such file"),
    ]);
    expect(existsSync(file)).toBe(true);
  });

  it("that do not end are ended after a minute, with all that they have started", async (test) => {
    const file = join(tempDir(test), "pids");
    writeFileSync(file, "");
    const clock = new SimClock();
    const told = run([shell('trap "" TERM; sleep 1000 & echo $! $$ > "$1"; wait; sleep 1000', file)], clock);
    const pids = await eventually("the command", () => {
      const text = readFileSync(file, "utf8");
      return text.endsWith("\n") && text.trim().split(" ").map(Number);
    });
    await clock.advance(60_000);
    await clock.advance(2_000);
    expect((await told).warnings).toEqual([expect.stringContaining("did not end within 60 s")]);
    for (const pid of pids) {
      await eventually("its end", () => {
        try {
          // Nobody may be there to ask for the status of a grandchild.
          return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
        } catch {
          return true;
        }
      });
    }
  });
});
