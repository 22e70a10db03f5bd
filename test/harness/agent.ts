import { createServer } from "node:net";
import { join } from "node:path";
import { message, Reader } from "../../src/server/protocol.ts";
import { strings } from "./token.ts";

/** A key that an agent has. */
export interface AgentKey {
  readonly blob: Buffer;
  /** Undefined: it cannot sign now, as when its token is not plugged in. */
  readonly sign: (data: Buffer) => Buffer | undefined;
}

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES = 12;
const SIGN_REQUEST = 13;
const SIGNED = 14;

/** An ssh-agent (draft-miller-ssh-agent) whose keys are wherever the test has them. */
export async function startAgent(
  folder: string,
  keys: readonly AgentKey[],
): Promise<AsyncDisposable & { readonly path: string }> {
  const answer = (request: Buffer): Buffer => {
    const fields = new Reader(request, 1);
    if (request[0] === REQUEST_IDENTITIES) {
      const all = keys.map(({ blob }) => strings(blob, "of the test"));
      return Buffer.concat([message(IDENTITIES, keys.length), ...all]);
    }
    if (request[0] !== SIGN_REQUEST) return Buffer.of(FAILURE);
    const blob = fields.string();
    const signature = keys.find((key) => key.blob.equals(blob))?.sign(fields.string());
    return signature ? message(SIGNED, signature) : Buffer.of(FAILURE);
  };
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
        const end = 4 + received.readUInt32BE();
        socket.write(strings(answer(received.subarray(4, end))));
        received = received.subarray(end);
      }
    });
  });
  const path = join(folder, "agent");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
