import { timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import type { AuthContext, Connection, ParsedKey, PublicKeyAuthContext } from "ssh2";
import ssh2 from "ssh2";
import type { GuestConfig } from "./messages.ts";
import type { ProcessGroups } from "./processes.ts";
import { serveSession } from "./session.ts";

const { Server, utils } = ssh2;

/**
 * A stock ssh2 server that lets the instance's key in under any user name and runs what is asked.
 *
 * @returns what serves a connection.
 */
export function createSshd(config: GuestConfig, groups: ProcessGroups): (socket: Socket) => void {
  const keys = config.authorizedKeys.flatMap(parseKey);
  const server = new Server({
    hostKeys: [config.hostKey],
    // The AES modes cost a fraction of chacha20's time here, and guests stand in for machines with hardware AES.
    algorithms: { cipher: { remove: "chacha20-poly1305@openssh.com", append: [], prepend: [] } },
  });
  server.on("connection", (client, { ip, port }) => {
    let user = "root";
    // A client that breaks off, or breaks the protocol, ends its own connection only.
    client.on("error", () => client.end());
    client.on("authentication", (context) => {
      user = context.username;
      decide(context, keys);
    });
    client.on("session", (accept) => {
      const connection = `${ip} ${port} ${config.address} ${config.port}`;
      serveSession(accept(), { config, user, connection, groups });
    });
    answerGlobalRequests(client);
  });
  return (socket) => server.injectSocket(socket);
}

function parseKey(line: string): ParsedKey[] {
  const key = utils.parseKey(line);
  if (key instanceof Error) {
    process.stderr.write(`authorized key not usable: ${key.message}\n`);
    return [];
  }
  return Array.isArray(key) ? key : [key];
}

function decide(context: AuthContext, keys: readonly ParsedKey[]): void {
  if (context.method === "publickey" && keys.some((key) => proves(context, key))) context.accept();
  else context.reject(["publickey"]);
}

function proves(context: PublicKeyAuthContext, key: ParsedKey): boolean {
  const known = key.getPublicSSH();
  const offered = context.key.data;
  if (known.length !== offered.length || !timingSafeEqual(known, offered)) return false;
  // Without a signature the client only asks whether the key would do.
  if (context.signature === undefined || context.blob === undefined) return true;
  return key.verify(context.blob, context.signature, context.hashAlgo) === true;
}

function answerGlobalRequests(client: Connection): void {
  // Forwardings are not part of a guest; ssh2 answers no-more-sessions itself once anybody listens.
  client.on("request", (_accept, reject) => reject?.());
}
