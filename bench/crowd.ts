/**
 * Many clients in one process, each with a login and one open channel: `fork(crowd, [port, user, keyFile, endPort])`, send a number, and
 * it says so when there are that many.
 */
import { readFileSync } from "node:fs";
import ssh2 from "ssh2";

const [port, username, keyFile, endPort] = process.argv.slice(2) as [string, string, string, string];
const privateKey = readFileSync(keyFile);
let open = 0;

function join(): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("error", reject);
    client.on("ready", () => {
      client.forwardOut("127.0.0.1", 0, "127.0.0.1", Number(endPort), (error, channel) => {
        if (error) return reject(error);
        channel.once("data", () => resolve());
        channel.resume();
      });
    });
    client.connect({ host: "127.0.0.1", port: Number(port), username, privateKey, readyTimeout: 60_000 });
  });
}

async function grow(count: number): Promise<void> {
  while (open < count) {
    const few = Math.min(10, count - open);
    await Promise.all(Array.from({ length: few }, join));
    open += few;
  }
  process.send?.(open);
}

process.on("message", (count: number) => void grow(count));
process.on("disconnect", () => process.exit());
