import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { Hook } from "../../../src/config/replicate.ts";
import { type HookOptions, runHooks } from "../../../src/replicate/report/hooks.ts";
import { startToJson, toJson } from "../../../src/replicate/report/json.ts";
import { type Clock, systemClock } from "../../../src/util/clock.ts";
import { version } from "../../../src/util/version.ts";
import { outcome } from "./given.ts";

const report = toJson(outcome(), { env: {} });
const SECRET = "s3cret";

/** Does not wait between tries, and has time for answers. */
const noPause: Clock = {
  now: systemClock.now,
  sleep: (ms, signal) => systemClock.sleep(ms < 10_000 ? 0 : ms, signal),
};
/** Time is up as soon as so many were asked as have tried. */
function impatient(asked: readonly unknown[]): Clock {
  let tries = asked.length;
  const sleep = async (ms: number, signal?: AbortSignal) => {
    if (ms < 10_000) return;
    tries += 1;
    while (asked.length < tries) await systemClock.sleep(5, signal);
  };
  return { now: systemClock.now, sleep };
}
/** An answer has half a second. */
const hasty: Clock = { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) };

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Listens on loopback, and keeps what it was asked. */
async function listener(answer: (asked: Asked, response: ServerResponse, count: number) => void) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(asked.at(-1) as Asked, response, asked.length);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, asked, url: `http://${host}/${SECRET}?key=${SECRET}` };
}

function hook(url: string, more: Partial<Extract<Hook, { kind: "url" }>> = {}): Hook {
  return { kind: "url", url, method: "POST", headers: { "X-Team": SECRET }, ...more };
}

/** What is said of hooks; none of it may hold a secret. */
async function tell(hooks: readonly Hook[], options: Partial<HookOptions> = {}) {
  const warned: string[] = [];
  const { warnings, errors } = await runHooks(hooks, {
    event: "success",
    report,
    env: {},
    clock: noPause,
    signal: new AbortController().signal,
    warn: (text) => warned.push(text),
    ...options,
  });
  expect(warned.toSorted()).toEqual([...warnings, ...errors].toSorted());
  expect(warned.join()).not.toContain(SECRET);
  return { warnings, errors };
}

const answers = (...statuses: readonly number[]) => {
  return (_: Asked, response: ServerResponse, count: number) => {
    response.writeHead(statuses[count - 1] ?? 599).end(`${SECRET} ${count}`);
  };
};

it("sends the report as JSON, with the headers that are given", async () => {
  const { url, asked } = await listener(answers(202, 200, 204));
  expect(await tell([hook(url)])).toEqual({ warnings: [], errors: [] });
  await tell([hook(url, { method: "PUT", headers: { "content-type": "text/x", "User-Agent": "me" } })]);
  const started = startToJson("safe", 0, { env: {} });
  await tell([hook(url)], { event: "start", report: started });
  expect(asked[0]).toMatchObject({
    method: "POST",
    url: `/${SECRET}?key=${SECRET}`,
    headers: {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(JSON.stringify(report))),
      "user-agent": `lazyssh/${version}`,
      "x-team": SECRET,
    },
  });
  expect(JSON.parse(asked[0]?.body ?? "")).toEqual(report);
  expect(asked[1]).toMatchObject({
    method: "PUT",
    headers: { "content-type": "text/x", "user-agent": "me" },
  });
  expect(JSON.parse(asked[2]?.body ?? "")).toEqual(started);
});

it.each(["GET", "HEAD"])("sends no body with %s", async (method) => {
  const { url, asked } = await listener(answers(200));
  expect(await tell([hook(url, { method })])).toEqual({ warnings: [], errors: [] });
  expect(asked).toMatchObject([{ method, body: "", headers: { "x-team": SECRET } }]);
  expect(asked[0]?.headers).not.toHaveProperty("content-type");
});

it("tries again when the server has failed, and no more than three times", async () => {
  const mended = await listener(answers(500, 503, 200));
  expect(await tell([hook(mended.url)])).toEqual({ warnings: [], errors: [] });
  expect(mended.asked).toHaveLength(3);
  expect(new Set(mended.asked.map(({ body }) => body)).size).toBe(1);
  const broken = await listener(answers(500, 500, 502));
  const { warnings } = await tell([hook(broken.url)]);
  expect(warnings).toEqual([`on_success: ${broken.host}: it answered 502 (Bad Gateway), in 3 tries`]);
  expect(broken.asked).toHaveLength(3);
});

it("does not try again what was refused, and is loud where it was to tell of a failure", async () => {
  const { url, host, asked } = await listener(answers(404, 404));
  const problem = `${host}: it answered 404 (Not Found): look at URL, method and headers`;
  expect(await tell([hook(url)])).toEqual({ warnings: [`on_success: ${problem}`], errors: [] });
  expect(await tell([hook(url)], { event: "failure" })).toEqual({
    warnings: [],
    errors: [`on_failure: ${problem}. Who relies on it has not been told that the run failed`],
  });
  expect(asked).toHaveLength(2);
});

it("waits for a slow answer, and not for one that does not come", async () => {
  const { url, host, asked } = await listener(({ url: path }, response) => {
    if (path === "/slow") setTimeout(() => response.end(), 30);
    if (path === "/body") response.write("without an end");
  });
  const slow = await tell([hook(url.replace(/\/s3.*/, "/slow"))]);
  expect(slow.warnings).toEqual([]);
  const { warnings } = await tell([hook(url)], { clock: impatient(asked) });
  expect(warnings).toEqual([`on_success: ${host}: it did not answer within 10 s, in 3 tries`]);
  expect(asked).toHaveLength(4);
  // It has answered; what comes after that changes nothing.
  expect(await tell([hook(url.replace(/\/s3.*/, "/body"))], { clock: hasty })).toEqual({
    warnings: [],
    errors: [],
  });
  expect(asked).toHaveLength(5);
});

it("says why nobody could be asked", async () => {
  const { url, host } = await listener(answers());
  const closed = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
  const cut = await listener((_, response) => response.destroy());
  const { warnings } = await tell([
    hook(`http://127.0.0.1:${closed}/${SECRET}`),
    hook(cut.url),
    hook(url.replace("http:", "https:")),
    hook(url, { headers: { "X-Team": `${SECRET}\n` } }),
  ]);
  expect(warnings).toEqual([
    `on_success: 127.0.0.1:${closed}: it refuses connections (ECONNREFUSED), in 3 tries`,
    `on_success: ${cut.host}: it broke the connection off (ECONNRESET), in 3 tries`,
    `on_success: ${host}: no secure connection to it (EPROTO), in 3 tries`,
    `on_success: ${host}: it could not be asked (ERR_INVALID_CHAR), in 3 tries`,
  ]);
});

it("follows redirects with the report, and shows the headers to nobody else", async () => {
  const other = await listener(answers(200, 200, 500, 500, 500));
  const redirect = (status: number, location: string) => (_: Asked, response: ServerResponse) => {
    response.writeHead(status, { location }).end();
  };
  const near = await listener(({ url }, response) => {
    if (url === "/here") response.end();
    else redirect(307, "/here")({} as Asked, response);
  });
  expect(await tell([hook(near.url)])).toEqual({ warnings: [], errors: [] });
  expect(near.asked).toHaveLength(2);
  expect(near.asked[1]).toMatchObject({ method: "POST", url: "/here", headers: { "x-team": SECRET } });
  expect(JSON.parse(near.asked[1]?.body ?? "")).toEqual(report);

  const moved = await listener(redirect(301, other.url));
  const seen = await listener(redirect(303, other.url));
  expect(await tell([hook(moved.url)])).toEqual({ warnings: [], errors: [] });
  expect(await tell([hook(seen.url)])).toEqual({ warnings: [], errors: [] });
  expect(other.asked.map(({ method, body }) => [method, body !== ""])).toEqual([
    ["POST", true],
    ["GET", false],
  ]);
  for (const { headers } of other.asked) expect(headers).not.toHaveProperty("x-team");

  const { warnings } = await tell([hook(moved.url)]);
  const where = `${other.host}, where it redirects to,`;
  expect(warnings).toEqual([
    `on_success: ${moved.host}: ${where} answered 500 (Internal Server Error), in 3 tries`,
  ]);
});

it.each([
  [`/${SECRET}`, "it redirects more than 3 times: give the last URL"],
  [`ftp://127.0.0.1/${SECRET}`, "it redirects to where nothing is sent: give the URL that it is"],
  [`http://[${SECRET}`, "it redirects to where nothing is sent: give the URL that it is"],
  ["", "it redirects more than 3 times: give the last URL"],
])("does not follow to %s for ever", async (location, problem) => {
  const { url, host } = await listener((_, response) => response.writeHead(302, { location }).end());
  expect(await tell([hook(url)])).toEqual({ warnings: [`on_success: ${host}: ${problem}`], errors: [] });
});

it("tells all at the same time, and stops when the run is interrupted", async () => {
  const silent = await listener(() => undefined);
  const good = await listener(answers(200));
  const interrupt = new AbortController();
  const telling = tell([hook(silent.url), hook(good.url)], { signal: interrupt.signal });
  await expect.poll(() => [silent.asked.length, good.asked.length]).toEqual([1, 1]);
  interrupt.abort(new Error(SECRET));
  const problem = `on_success: ${silent.host}: it was not told, because the run was interrupted`;
  expect((await telling).warnings).toEqual([problem]);
  expect((await tell([hook(silent.url)], { signal: interrupt.signal })).warnings).toEqual([problem]);
});
