import { randomUUID } from "node:crypto";
import type http from "node:http";
import type { Clock } from "../../util/clock.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { Ec2Error } from "../cloud/error.ts";
import { type Answer, dispatch, refusal } from "./dispatch.ts";
import { concerns, hides, launchFaults, refusalBy } from "./effects.ts";
import type { Faults } from "./faults.ts";
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
    cloud.settle();
    const call = { action, params, cloud };
    const rule = faults.decide(action, (candidate) => concerns(candidate, call));
    if (rule?.kind === "hang") await clock.sleep(rule.ms, options.signal);
    if (rule?.kind === "drop-before") {
      request.socket.resetAndDestroy();
      return;
    }
    const refused = refusalBy(rule, call);
    if (refused !== undefined) {
      send(response, refusal(refused, requestId));
      return;
    }
    const context = {
      cloud,
      lagMs: rule?.kind === "stale" ? rule.ms : 0,
      hides: hides(rule, cloud),
      launch: launchFaults(rule, call),
      attachMs: rule?.kind === "attach-delay" ? rule.ms : undefined,
      detachMs: rule?.kind === "detach-delay" ? rule.ms : undefined,
      consoleOutput: options.consoleOutput,
    };
    const answer = dispatch(action, params, context, requestId);
    await options.save();
    if (rule?.kind === "drop-after") request.socket.resetAndDestroy();
    else if (rule?.kind === "error-after") send(response, refusal(internalError(), requestId));
    else send(response, answer);
  };
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
