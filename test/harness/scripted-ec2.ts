import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as EC2's query protocol carries it. */
interface Ec2Request {
  readonly action: string;
  /** Every form parameter but Action and Version, for example `Filter.1.Name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly authorization: string;
}

export type Ec2Answer =
  /** XML of a success. */
  | string
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  /** Closes the connection without an answer. */
  | "drop"
  /** Reads the request and never answers. */
  | "hang"
  /** Begins an answer and never ends it. */
  | "stall";

/**
 * An EC2 endpoint on loopback that answers what it was told to. The answers of an action are given in order, and the
 * last one for ever; an action without any is refused as EC2 refuses an unknown one.
 */
export interface ScriptedEc2 extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: readonly Ec2Request[];
  on(action: string, ...answers: (Ec2Answer | ((request: Ec2Request) => Ec2Answer))[]): void;
  /** Resolves when this many requests have arrived. */
  arrived(count: number): Promise<void>;
}

export async function startScriptedEc2(): Promise<ScriptedEc2> {
  const requests: Ec2Request[] = [];
  const scripts = new Map<string, (Ec2Answer | ((request: Ec2Request) => Ec2Answer))[]>();
  const watchers = new Set<() => void>();

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await decode(incoming);
    requests.push(request);
    for (const watcher of watchers) watcher();
    const answers = scripts.get(request.action) ?? [];
    const next = answers.length > 1 ? answers.shift() : answers[0];
    const answer = typeof next === "function" ? next(request) : next;
    give(response, answer ?? ec2Failure("InvalidAction", `The action ${request.action} is not valid`));
  };
  const server = createServer((incoming, response) => {
    // Whoever hangs up in the middle of its request has nothing to be answered.
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    on: (action, ...answers) => void scripts.set(action, answers),
    arrived: (count) =>
      new Promise((resolve) => {
        const watcher = () => {
          if (requests.length < count) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An error answer. Source: EC2 developer guide, "Troubleshoot API request errors". */
export function ec2Failure(code: string, message: string, status = 400): Ec2Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>${xml(code)}</Code><Message>${xml(message)}</Message></Error></Errors><RequestID>req-1</RequestID></Response>`;
  return { status, body };
}

/** A success of the given action with these elements inside. */
export function ec2Success(action: string, inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>req-1</requestId>${inner}</${action}Response>`;
}

async function decode(incoming: IncomingMessage): Promise<Ec2Request> {
  let body = "";
  for await (const chunk of incoming.setEncoding("utf8")) body += chunk;
  const { Action = "", Version: _, ...params } = Object.fromEntries(new URLSearchParams(body));
  return { action: Action, params, authorization: incoming.headers.authorization ?? "" };
}

function give(response: ServerResponse, answer: Ec2Answer): void {
  switch (answer) {
    case "drop":
      response.destroy();
      return;
    case "hang":
      return;
    case "stall":
      response.writeHead(200, { "content-type": "text/xml", "content-length": "1000" });
      response.write("<?xml");
      return;
    default: {
      const { status, body, headers } =
        typeof answer === "string" ? { status: 200, body: answer, headers: {} } : answer;
      response.writeHead(status, { "content-type": "text/xml;charset=UTF-8", ...headers });
      response.end(body);
    }
  }
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
