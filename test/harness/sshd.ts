import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { KeyFiles, SshFolder } from "./ssh.ts";
import { freePort } from "./tcp.ts";
import { eventually } from "./world.ts";

/** OpenSSH's own server on loopback, as the user of the tests, for one key. */
export interface RealSshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
}

/** `alias` is what clients check its key under. */
export async function startSshd(
  folder: SshFolder,
  hostKey: KeyFiles,
  clientKey: KeyFiles,
  alias = "archiver",
): Promise<RealSshd> {
  const dir = join(folder.path, "sshd");
  await mkdir(dir, { recursive: true });
  const authorized = join(dir, "authorized_keys");
  await writeFile(authorized, `${clientKey.publicLine}\n`);
  const key = join(dir, "host");
  await copyFile(hostKey.path, key);
  await chmod(key, 0o600);
  // Where root starts it by hand, nobody else has made the folder that it separates its privileges in.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const port = await freePort();
  const config = join(dir, "sshd_config");
  await writeFile(
    config,
    `ListenAddress 127.0.0.1
Port ${port}
HostKey ${key}
AuthorizedKeysFile ${authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv BASH_ENV
MaxStartups 100
`,
  );
  const child: ChildProcess = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const dispose = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  };
  try {
    await eventually("sshd to listen", () => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${stderr}`);
      return stderr.includes("Server listening on");
    });
    await folder.known("127.0.0.1", port, hostKey, alias);
    return { port, user: userInfo().username, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
