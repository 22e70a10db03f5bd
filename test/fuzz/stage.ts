import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type JumpHost, startJumpHost } from "../harness/jump-host.ts";
import type { ProgramOptions } from "../harness/program.ts";
import type { KeyFiles, SshFolder } from "../harness/ssh.ts";
import { type TcpTarget, tcpTarget } from "../harness/tcp.ts";
import type { Stage } from "./player.ts";
import type { KeyName, PortName } from "./steps.ts";

/**
 * A bit of everything that a server block can have. Keys are exchanged anew as often as may be, and a channel too many is soon
 * reached.
 */
const SERVER = `
  host_keys = [file("hostecdsa"), file("hostrsa")]
  user "ci" {
    trusted_user_ca_keys = [file("ca.pub")]
    targets              = ["arch*", "*.dev"]
  }
  user "limited" {
    authorized_keys_file = "limited.keys"
  }
  limits {
    max_auth_tries = 20
    max_channels   = 20
    rekey_bytes    = "1MiB"
    rekey_interval = "1s"
  }
`;

/** Any number of targets, for those who make names up. */
const FAMILY = `target "*.dev" "forward" {
  to = "127.0.0.1"
}`;

/** The program, and all that sessions refer to by name. */
export async function setStage(options: ProgramOptions): Promise<{
  readonly jump: JumpHost;
  readonly stage: Stage;
  readonly targets: readonly TcpTarget[];
}> {
  let made: Made | undefined;
  const prepare = async (folder: SshFolder): Promise<void> => {
    made = await makeKeys(folder);
  };
  const jump = await startJumpHost({ ...options, server: SERVER, more: FAMILY, prepare });
  if (!made) throw new Error("no keys");
  const { keys, blobs } = made;
  const targets = await startTargets();
  const ports = Object.entries(targets).map(([name, target]) => [name, target.port]);
  const stage = {
    port: jump.port,
    keys: { ...keys, client: jump.clientKey },
    blobs: { ...blobs, client: jump.clientKey.blob, host: jump.hostKey.blob },
    // Nothing listens there: the port of discard is nobody's on a machine of today.
    ports: { ...(Object.fromEntries(ports) as Record<keyof Targets, number>), closed: 9 },
  };
  return { jump, stage, targets: Object.values(targets) };
}

type Targets = Readonly<Record<Exclude<PortName, "closed">, TcpTarget>>;

const STUCK_MS = 10_000;

async function startTargets(): Promise<Targets> {
  return {
    echo: await tcpTarget((socket) => void socket.pipe(socket)),
    sink: await tcpTarget((socket) => void socket.resume().on("end", () => socket.end())),
    source: await tcpTarget((socket) => void socket.resume().write(Buffer.alloc(2 * 1024 * 1024))),
    // One that reads nothing does not hear of the end either.
    stuck: await tcpTarget((socket) => void socket.pause().setTimeout(STUCK_MS, () => socket.destroy())),
    bye: await tcpTarget((socket) => void socket.resume().end("bye")),
    slam: await tcpTarget((socket) => void socket.resetAndDestroy()),
  };
}

interface Made {
  readonly keys: Omit<Stage["keys"], "client">;
  readonly blobs: Omit<Record<KeyName, Buffer>, "client" | "host">;
}

async function makeKeys(folder: SshFolder): Promise<Made> {
  await folder.key("hostecdsa", "ecdsa");
  const hostrsa = await folder.key("hostrsa", "rsa");
  const other = await folder.key("other");
  const ecdsa = await folder.key("ecdsa", "ecdsa");
  const rsa = await folder.key("rsa", "rsa");
  const ca = await folder.key("ca");
  const options =
    'restrict,port-forwarding,permitopen="archiver:*",from="127.0.0.0/8",expiry-time="20991231Z"';
  const lines = [`${options} ${ecdsa.publicLine}`, `command="status" ${rsa.publicLine}`];
  await writeFile(join(folder.path, "limited.keys"), `${lines.join("\n")}\n`);
  const blobs = {
    other: other.blob,
    ecdsa: ecdsa.blob,
    rsa: rsa.blob,
    cert: await certificate(ca, other, []),
    hostcert: await certificate(ca, other, ["-h"]),
    hostrsa: hostrsa.blob,
  };
  return { keys: { other, ecdsa, rsa }, blobs };
}

/** For the user `ci`, or with `-h` for a host of that name. */
async function certificate(ca: KeyFiles, key: KeyFiles, options: readonly string[]): Promise<Buffer> {
  const what = ["-q", ...options, "-s", ca.path, "-I", "fuzz", "-n", "ci,jump", "-V", "-1h:+52w"];
  await promisify(execFile)("ssh-keygen", [...what, `${key.path}.pub`]);
  const line = await readFile(`${key.path}-cert.pub`, "utf8");
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}
