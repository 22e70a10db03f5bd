import type { BeforeStop } from "../../config/index.ts";
import { LazysshError, messageOf } from "../../util/errors.ts";
import { quoteWhereNeeded } from "../../util/shell.ts";

export interface RemoteRequest {
  readonly host: string;
  readonly port: number;
  readonly login: Pick<BeforeStop, "user" | "privateKey" | "hostKey">;
  readonly command: readonly string[];
  /** Gives up: the connection is cut, and the promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Runs one command on a machine, over SSH, to its end.
 *
 * @throws LazysshError `BEFORE_STOP_FAILED` with what it printed, or why it could not be run.
 */
export type Remote = (request: RemoteRequest) => Promise<void>;

const CONNECT_MS = 15_000;
/** Of what a command prints, this much is told. */
const MOST_OUTPUT = 2_000;

/** By ssh2's client. It is loaded by the first command. */
export const remote: Remote = async (request) => {
  const { host, port, login, command, signal } = request;
  signal.throwIfAborted();
  const { Client } = (await import("ssh2")).default;
  const client = new Client();
  const what = command.join(" ");
  const fail = (why: string) =>
    new LazysshError("BEFORE_STOP_FAILED", `"${what}" on ${host}:${port}: ${why}`);
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      client.on("error", (error) => reject(fail(messageOf(error))));
      client.on("close", () => reject(fail("the connection was closed")));
      client.on("ready", () => {
        client.exec(quoteWhereNeeded(command), (error, channel) => {
          if (error) return reject(fail(messageOf(error)));
          let output = "";
          const hear = (chunk: Buffer) => {
            output = (output + chunk.toString()).slice(-MOST_OUTPUT);
          };
          channel.on("data", hear);
          channel.stderr.on("data", hear);
          channel.on("close", (code: number | null, killedBy?: string) => {
            if (code === 0) return resolve();
            const how =
              code === null || code === undefined
                ? `was ended by ${killedBy ?? "a signal"}`
                : `ended with exit code ${code}`;
            const said = output.trim().replace(/\s+/g, " ");
            reject(fail(said === "" ? how : `${how}: ${said}`));
          });
        });
      });
      client.connect({
        host,
        port,
        username: login.user,
        privateKey: login.privateKey,
        readyTimeout: CONNECT_MS,
        keepaliveInterval: CONNECT_MS,
        hostVerifier: (key: Buffer) => login.hostKey === undefined || key.equals(login.hostKey.blob),
      });
    });
  } finally {
    client.removeAllListeners();
    client.on("error", () => undefined);
    client.destroy();
  }
};
