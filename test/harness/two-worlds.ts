import { afterAll, beforeAll } from "vitest";
import { type SshFolder, sshFolder } from "./ssh.ts";
import { type RealSshd, startSshd } from "./sshd.ts";
import { startZfsWorld, type ZfsWorld } from "./zfs-world.ts";

/** Pools here and there, and an sshd that leads to the machine `archiver`, which is this one: for what has nothing to do with a boot. */
export interface TwoWorlds {
  readonly here: ZfsWorld;
  readonly there: ZfsWorld;
  /** For `ssh -F`. */
  readonly sshConfig: string;
}

const START_MS = 120_000;

/** For all tests of a file; what it returns is there once they run. */
export function useTwoWorlds(pools: { readonly here: readonly string[]; readonly there: readonly string[] }) {
  let worlds: TwoWorlds | undefined;
  let folder: SshFolder | undefined;
  let sshd: RealSshd | undefined;
  beforeAll(async () => {
    const [here, there] = await Promise.all([startZfsWorld("here"), startZfsWorld("there")]);
    folder = await sshFolder();
    const [host, client] = await Promise.all([folder.key("host"), folder.key("client")]);
    sshd = await startSshd(folder, host, client);
    const address = { HostName: "127.0.0.1", Port: sshd.port, User: sshd.user, HostKeyAlias: "archiver" };
    worlds = {
      here,
      there,
      sshConfig: await folder.config({ archiver: { ...address, IdentityFile: client.path } }),
    };
    for (const pool of pools.here) await here.createPool(pool);
    for (const pool of pools.there) await there.createPool(pool);
  }, START_MS);
  afterAll(async () => {
    await sshd?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
    await worlds?.there[Symbol.asyncDispose]();
    await worlds?.here[Symbol.asyncDispose]();
  }, START_MS);
  return (): TwoWorlds => {
    if (!worlds) throw new Error("the worlds have not started");
    return worlds;
  };
}
