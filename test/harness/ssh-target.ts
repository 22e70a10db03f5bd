import { once } from "node:events";
import ssh2 from "ssh2";
import type { KeyFiles } from "./ssh.ts";

/** An SSH server as a target would run one: it accepts one key, and `exec` echoes the command and its input. */
export interface SshTarget extends AsyncDisposable {
  readonly port: number;
}

export async function sshTarget(hostKey: KeyFiles, userKey: KeyFiles): Promise<SshTarget> {
  const clients = new Set<ssh2.Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    clients.add(client);
    client.on("error", () => undefined);
    client.on("close", () => clients.delete(client));
    client.on("authentication", (request) => {
      if (request.method === "publickey" && request.key.data.equals(userKey.blob)) request.accept();
      else request.reject(["publickey"]);
    });
    client.on("session", (accept) => {
      accept().on("exec", (confirm, _refuse, { command }) => {
        const channel = confirm();
        channel.write(`${command}\n`);
        channel.on("data", (data: Buffer) => channel.write(data));
        channel.on("end", () => {
          channel.exit(0);
          channel.end();
        });
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
