import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";

/** An address of the EC2 API that passes everything on to a world's, and keeps what was asked. */
export interface Recorder extends AsyncDisposable {
  readonly endpoint: string;
  /** The parameters of each call so far, in the query protocol's own names: `Action`, `ClientToken`, `Filter.1.Name`. */
  readonly calls: Readonly<Record<string, string>>[];
}

export async function startRecorder(target: string): Promise<Recorder> {
  const calls: Record<string, string>[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      calls.push(Object.fromEntries(new URLSearchParams(body.toString())));
      const { method, headers } = request;
      const passedOn = send(new URL(request.url ?? "/", target), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passedOn.on("error", () => response.destroy());
      passedOn.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
