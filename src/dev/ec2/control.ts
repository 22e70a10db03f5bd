import type http from "node:http";
import { messageOf } from "../../util/errors.ts";
import type { Delays } from "../cloud/state.ts";
import { DEFAULT_DELAYS } from "../cloud/state.ts";
import { readBody } from "./endpoint.ts";
import { type FaultRule, parseFaultRules } from "./fault-rules.ts";

/** What `/_dev/…` can do to a world. */
export interface Controls {
  readonly state: () => unknown;
  readonly faults: { list(): FaultRule[]; set(rules: readonly FaultRule[]): void };
  readonly delays: () => Delays;
  readonly setDelays: (delays: Partial<Delays>) => void;
  /** False when there is no such living instance. */
  readonly kill: (instanceId: string) => boolean;
  readonly outage: (ms: number) => void;
}

/**
 * The switches beside the API, in JSON: `GET /_dev/state`, `GET|PUT /_dev/faults`, `GET|PUT /_dev/delays`,
 * `POST /_dev/kill/<instance-id>`, `POST /_dev/outage` with `{"ms": …}`.
 */
export function createControl(controls: Controls) {
  return async (
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
  ): Promise<void> => {
    const reply = (status: number, value: unknown): void => {
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(`${JSON.stringify(value, null, 2)}\n`);
    };
    try {
      const result = await perform(controls, `${request.method} ${path}`, request, response);
      if (result === undefined) reply(404, { error: `there is no ${request.method} ${path} here` });
      else reply(200, result);
    } catch (error) {
      reply(400, { error: messageOf(error) });
    }
  };
}

async function perform(
  controls: Controls,
  call: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<unknown> {
  switch (call) {
    case "GET /_dev/state":
      return controls.state();
    case "GET /_dev/faults":
      return controls.faults.list();
    case "PUT /_dev/faults":
      controls.faults.set(parseFaultRules(await readJson(request)));
      return controls.faults.list();
    case "GET /_dev/delays":
      return controls.delays();
    case "PUT /_dev/delays":
      controls.setDelays(parseDelays(await readJson(request)));
      return controls.delays();
    case "POST /_dev/outage": {
      const body = await readJson(request);
      const ms = isRecord(body) ? body.ms : undefined;
      if (typeof ms !== "number" || !(ms >= 0)) throw new TypeError('an outage needs {"ms": a number}');
      // Not before the answer has gone out: the outage would cut it off.
      response.once("finish", () => controls.outage(ms));
      return { ms };
    }
    default: {
      const id = /^POST \/_dev\/kill\/(i-[0-9a-f]+)$/.exec(call)?.[1];
      return id !== undefined && controls.kill(id) ? { killed: id } : undefined;
    }
  }
}

async function readJson(request: http.IncomingMessage): Promise<unknown> {
  return JSON.parse(await readBody(request)) as unknown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseDelays(value: unknown): Partial<Delays> {
  if (!isRecord(value)) throw new TypeError("delays are a JSON object");
  for (const [name, ms] of Object.entries(value)) {
    if (!Object.hasOwn(DEFAULT_DELAYS, name) || typeof ms !== "number" || !(ms >= 0)) {
      throw new TypeError(
        `${name} = ${JSON.stringify(ms)} is no delay; known: ${Object.keys(DEFAULT_DELAYS).join(", ")} in milliseconds`,
      );
    }
  }
  return value as Partial<Delays>;
}
