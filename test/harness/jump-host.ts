import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, type ProgramOptions, startProgram } from "./program.ts";
import { type KeyFiles, type SshFolder, sshFolder } from "./ssh.ts";

export const KEY_TYPES = ["ed25519", "ecdsa", "rsa"] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** The built program, with a target `archiver` whose ports are those of loopback: no cloud, no machines. */
export interface JumpHost extends AsyncDisposable {
  readonly program: Program;
  readonly folder: SshFolder;
  readonly stateDir: string;
  readonly configFile: string;
  readonly port: number;
  readonly hostKey: KeyFiles;
  /** The one that may log in. */
  readonly clientKey: KeyFiles;
}

export interface JumpHostOptions extends ProgramOptions {
  readonly hostKeyType?: KeyType;
  readonly clientKeyType?: KeyType;
  /** More of the server block, as HCL. */
  readonly server?: string;
  /** More blocks of the file, as HCL. */
  readonly more?: string;
  /** Writes what those refer to. */
  readonly prepare?: (folder: SshFolder) => Promise<unknown>;
}

export async function startJumpHost(options: JumpHostOptions = {}): Promise<JumpHost> {
  const folder = await sshFolder();
  const hostKey = await folder.key("host", options.hostKeyType);
  const clientKey = await folder.key("client", options.clientKeyType);
  await options.prepare?.(folder);
  const configFile = join(folder.path, "jump.hcl");
  const stateDir = join(folder.path, "state");
  await writeFile(
    configFile,
    `server {
  listen         = "127.0.0.1:0"
  host_key       = file("host")
  authorized_key = file("client.pub")
  ${options.server ?? ""}
}
target "archiver" "forward" {
  to = "127.0.0.1"
}
${options.more ?? ""}
`,
  );
  const program = startProgram(["-c", configFile, "--state-dir", stateDir, "--log-format", "json"], options);
  const dispose = async (): Promise<void> => {
    await program[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  try {
    const port = Number((await program.logged("listening")).port);
    await folder.known("127.0.0.1", port, hostKey);
    return {
      program,
      folder,
      stateDir,
      configFile,
      port,
      hostKey,
      clientKey,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
