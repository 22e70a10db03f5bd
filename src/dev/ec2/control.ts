import type http from "node:http";
import { messageOf } from "../../util/errors.ts";
import { NOTICE_CODES, type NoticeCode } from "../cloud/spot-state.ts";
import type { Delays } from "../cloud/state.ts";
import { DEFAULT_DELAYS } from "../cloud/state.ts";
import type { Mischief } from "../mischief.ts";
import { readBody } from "./endpoint.ts";
import { type FaultRule, parseFaultRules } from "./fault-rules.ts";

/** What `/_dev/…` can do to a world. */
export interface Controls extends Mischief {
  readonly state: () => unknown;
  readonly faults: { list(): FaultRule[]; set(rules: readonly FaultRule[]): void };
  readonly delays: () => Delays;
  readonly setDelays: (delays: Partial<Delays>) => void;
  readonly outage: (ms: number) => void;
}

interface Request {
  /** The instance that the path names, or "". */
  readonly id: string;
  readonly json: () => Promise<unknown>;
  /** Called once the answer has gone out. */
  readonly afterwards: (act: () => void) => void;
}

/** What a control answers; false when there is no such machine. */
type Control = (controls: Controls, request: Request) => unknown;

/** The switches beside the API, in JSON: `docs/dev.md` has them with examples. */
const CONTROLS: Readonly<Record<string, Control>> = {
  "GET /_dev/state": ({ state }) => state(),
  "GET /_dev/faults": ({ faults }) => faults.list(),
  "PUT /_dev/faults": async ({ faults }, { json }) => {
    faults.set(parseFaultRules(await json()));
    return faults.list();
  },
  "GET /_dev/delays": ({ delays }) => delays(),
  "PUT /_dev/delays": async ({ delays, setDelays }, { json }) => {
    setDelays(parseDelays(await json()));
    return delays();
  },
  "POST /_dev/outage": async ({ outage }, { json, afterwards }) => {
    const ms = milliseconds(await json(), "an outage");
    if (ms === undefined) throw new TypeError('an outage needs {"ms": a number}');
    // Not before the answer has gone out: the outage would cut it off.
    afterwards(() => outage(ms));
    return { ms };
  },
  "POST /_dev/kill/<id>": ({ kill }, { id }) => kill(id) && { killed: id },
  "POST /_dev/terminate/<id>": ({ terminate }, { id }) => terminate(id) && { terminated: id },
  "POST /_dev/spot-notice/<id>": async ({ spotNotice }, { id, json }) => {
    const body = await json();
    spotNotice(id, milliseconds(body, "a notice"), noticeCode(body));
    return { noticed: id };
  },
  "POST /_dev/freeze/<id>": ({ freeze }, { id }) => freeze(id) && { frozen: id },
  "POST /_dev/thaw/<id>": ({ thaw }, { id }) => thaw(id) && { thawed: id },
  "POST /_dev/close-port/<id>": async ({ closePort }, { id }) => (await closePort(id)) && { closed: id },
  "POST /_dev/open-port/<id>": async ({ openPort }, { id }) => (await openPort(id)) && { opened: id },
};

export const CONTROL_NAMES: readonly string[] = Object.keys(CONTROLS);

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
    const called = `${request.method} ${path}`;
    const id = /\/(i-[0-9a-f]+)$/.exec(called)?.[1] ?? "";
    const name = id === "" ? called : called.replace(id, "<id>");
    const control = Object.hasOwn(CONTROLS, name) ? CONTROLS[name] : undefined;
    if (control === undefined) {
      reply(404, { error: `there is no ${called} here; there is ${CONTROL_NAMES.join(", ")}` });
      return;
    }
    const json = async (): Promise<unknown> => JSON.parse((await readBody(request)) || "{}") as unknown;
    const afterwards = (act: () => void): void => void response.once("finish", act);
    try {
      const result = await control(controls, { id, json, afterwards });
      if (result === false) reply(404, { error: `no instance ${id} runs here` });
      else reply(200, result);
    } catch (error) {
      reply(400, { error: messageOf(error) });
    }
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The `ms` of a body; undefined when it says none. */
function milliseconds(body: unknown, what: string): number | undefined {
  const ms = isRecord(body) ? body.ms : Number.NaN;
  if (ms === undefined || (typeof ms === "number" && ms >= 0)) return ms;
  throw new TypeError(`${what} needs {"ms": a number}`);
}

function noticeCode(body: unknown): NoticeCode | undefined {
  const given = isRecord(body) ? body.code : undefined;
  const code = NOTICE_CODES.find((known) => known === given);
  if (given === undefined || code !== undefined) return code;
  throw new TypeError(`${JSON.stringify(given)} is no status of a notice; known: ${NOTICE_CODES.join(", ")}`);
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
