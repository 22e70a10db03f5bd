import { randomUUID } from "node:crypto";
import type http from "node:http";
import type { Clock } from "../../util/clock.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { Ec2Error, noCapacity } from "../cloud/error.ts";
import { type Answer, dispatch, refusal } from "./dispatch.ts";
import { type FaultRule, type Faults, fateOf } from "./faults.ts";
import { Params } from "./query.ts";

const LARGEST_BODY = 1024 * 1024;

export interface EndpointOptions {
  readonly cloud: Cloud;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly consoleOutput: (instanceId: string) => string;
  /** Called with each action asked for, before anything else. */
  readonly onCall: (action: string) => void;
  /** Makes what has changed durable; awaited before the answer goes out. */
  readonly save: () => Promise<void>;
  /** Ends waiting calls when the world closes. */
  readonly signal: AbortSignal;
}

/** Answers one EC2 API request: `POST /` with a form-encoded body. */
export function createEndpoint(options: EndpointOptions) {
  const { cloud, faults, clock } = options;
  return async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const requestId = randomUUID();
    const params = Params.parse(await readBody(request));
    const action = params.text("Action") ?? "";
    options.onCall(action);
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) {
      send(
        response,
        refusal(
          new Ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
          requestId,
        ),
      );
      return;
    }
    const rule = faults.decide(action);
    if (rule?.kind === "hang") await clock.sleep(rule.ms, options.signal);
    if (rule?.kind === "drop-before") {
      request.socket.resetAndDestroy();
      return;
    }
    const refused = refusedBy(rule, params);
    if (refused !== undefined) {
      send(response, refusal(refused, requestId));
      return;
    }
    const lagMs = rule?.kind === "stale" ? rule.ms : 0;
    const context = { cloud, lagMs, fate: fateOf(rule), consoleOutput: options.consoleOutput };
    const answer = dispatch(action, params, context, requestId);
    await options.save();
    if (rule?.kind === "drop-after") request.socket.resetAndDestroy();
    else if (rule?.kind === "error-after") send(response, refusal(internalError(), requestId));
    else send(response, answer);
  };
}

function refusedBy(rule: FaultRule | undefined, params: Params): Ec2Error | undefined {
  if (rule?.kind === "error") {
    return new Ec2Error(rule.code, rule.message ?? `Injected fault: ${rule.code}`, rule.status);
  }
  if (rule?.kind === "capacity") {
    const zone = params.struct("Placement")?.text("AvailabilityZone") ?? "any zone";
    return noCapacity(params.text("InstanceType") ?? "m1.small", zone);
  }
  if (rule?.kind === "throttle") return new Ec2Error("RequestLimitExceeded", "Request limit exceeded.", 503);
  return undefined;
}

function internalError(): Ec2Error {
  return new Ec2Error("InternalError", "An internal error has occurred", 500);
}

function send(response: http.ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "text/xml;charset=UTF-8" }).end(body);
}

/** @throws RangeError for a body no API call has. */
export async function readBody(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new RangeError(`request body over ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
