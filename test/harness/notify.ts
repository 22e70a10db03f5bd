import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { tempDir } from "./temp.ts";
import { eventually } from "./world.ts";

/** Prints each datagram as a line of JSON. Closes what comes with it: who sends waits for that. */
const RECEIVER = `
import array, json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("[]", flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(65536, 4096)
    for _, _, content in ancillary:
        fds = array.array("i")
        fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
        for fd in fds: os.close(fd)
    print(json.dumps(data.decode().split("\\n")), flush=True)
`;

/** What systemd would be told: the messages so far, each a list of assignments. Needs `python3`. */
export async function notifySocket(): Promise<{ readonly path: string; readonly messages: string[][] }> {
  const path = join(tempDir(), "notify");
  const child: ChildProcess = spawn("python3", ["-c", RECEIVER, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    const ended = once(child, "close");
    child.kill();
    await ended;
  });
  const lines: string[][] = [];
  if (child.stdout)
    createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line) as string[]));
  await eventually("the notify socket", () => lines.shift() !== undefined, 60_000);
  return {
    path,
    get messages() {
      return lines.filter(([first]) => first !== "BARRIER=1");
    },
  };
}
