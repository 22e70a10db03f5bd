import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { runProgram } from "../harness/program.ts";
import { useTwoWorlds } from "../harness/two-worlds.ts";
import { files, fillDataset } from "../harness/zfs-files.ts";
import { testWithZfs } from "../harness/zfs-needs.ts";
import type { ZfsWorld } from "../harness/zfs-world.ts";

const TIMEOUT_MS = 120_000;

const worlds = useTwoWorlds({ here: ["tank", "second"], there: ["backup"] });

const replicate = (source: string, target: string, world: ZfsWorld, ...more: string[]) => {
  const { here, sshConfig } = worlds();
  return runProgram(
    [
      ...[
        "replicate",
        source,
        `archiver:${target}`,
        "-F",
        sshConfig,
        "--state-dir",
        join(here.folder, "state"),
      ],
      ...["--zfs", join(here.binDir, "zfs"), "--remote-zfs", join(world.binDir, "zfs"), ...more],
    ],
    {},
  );
};

const namesOf = async (world: ZfsWorld, pool: string): Promise<readonly string[]> =>
  (await world.zfs("list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", pool)).trim().split("\n");

describe("a replica", () => {
  testWithZfs(
    "does not come to lie over what it is a replica of, also when its pool is exported and imported",
    async () => {
      const { here } = worlds();
      await here.zfs("create", "-o", "mountpoint=/home-of-dana", "tank/home");
      await fillDataset(here, "tank/home", { files: 3 });
      await here.zfs("snapshot", "tank/home@one");
      const before = await files(here, "tank/home");

      // Received on the very machine that it comes from, as the worst case.
      const sent = await replicate("tank/home", "second/home", here);
      expect([sent.code, sent.stderr]).toEqual([0, expect.stringContaining("ok")]);
      await here.zpool("export", "second");
      await here.zpool("import", "-d", "/pools", "second");

      expect(await here.get("mounted", "second/home")).toBe("no");
      expect(await here.get("canmount", "second/home")).toBe("noauto");
      expect(await here.get("readonly", "second/home")).toBe("on");
      expect(await here.get("mounted", "tank/home")).toBe("yes");
      expect(await here.mount("tank/home")).toContain("/home-of-dana");
      expect(await files(here, "tank/home")).toEqual(before);
      // The next increment finds it as it was left.
      await fillDataset(here, "tank/home", { files: 4, seed: 2 });
      await here.zfs("snapshot", "tank/home@two");
      const again = await replicate("tank/home", "second/home", here);
      expect([again.code, again.stderr]).toEqual([0, expect.stringContaining("@two")]);
      expect(await files(here, "second/home@two")).toEqual(await files(here, "tank/home@two"));
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "leaves alone what stands beside it and below it, whatever is kept of itself",
    async () => {
      const { here, there } = worlds();
      await here.zfs("create", "tank/safe");
      await here.zfs("create", "tank/safe/child");
      // Never mounted: zfs-fuse does not rename what was.
      await here.zfs("create", "-o", "canmount=off", "tank/safe/gone");
      await fillDataset(here, "tank/safe/child", { files: 2 });
      await here.zfs("snapshot", "-r", "tank/safe@one");
      expect((await replicate("tank/safe", "backup/safe", there, "-r")).code).toBe(0);

      for (const name of ["backup/beside", "backup/safe/of another"]) {
        await there.zfs("create", "-o", "readonly=off", name);
        await there.zfs("snapshot", `${name}@one`);
        await there.zfs("snapshot", `${name}@two`);
      }
      await here.zfs("snapshot", "-r", "tank/safe@two");
      await here.zfs("snapshot", "-r", "tank/safe@three");
      const kept = await replicate("tank/safe", "backup/safe", there, "-r", "--keep", "last=1");
      expect([kept.code, kept.stderr]).toEqual([0, expect.stringContaining("of another")]);

      const names = await namesOf(there, "backup");
      for (const name of ["backup/beside", "backup/safe/of another"])
        expect(names).toEqual(expect.arrayContaining([name, `${name}@one`, `${name}@two`]));
      expect(names.filter((name) => name.startsWith("backup/safe/child@"))).toEqual([
        "backup/safe/child@three",
      ]);

      // What is gone from the source stays, too: nobody has said that it may go.
      await here.zfs("rename", "tank/safe/gone", "tank/elsewhere");
      await here.zfs("snapshot", "-r", "tank/safe@four");
      expect((await replicate("tank/safe", "backup/safe", there, "-r", "--keep", "last=1")).code).toBe(0);
      expect(await namesOf(there, "backup")).toContain("backup/safe/gone@three");
    },
    TIMEOUT_MS,
  );

  testWithZfs(
    "of what is on the machine is restored there, beside what is there or in its place, and the job goes on",
    async () => {
      const { here, there, sshConfig } = worlds();
      const config = join(here.folder, "pull.hcl");
      await writeFile(
        config,
        `replicate "mail" {
  direction   = "pull"
  source      = "backup/mail"
  target      = "archiver"
  destination = "tank/mail"
  recursive   = true
  zfs         = ${JSON.stringify(join(here.binDir, "zfs"))}
  remote_zfs  = ${JSON.stringify(join(there.binDir, "zfs"))}
  ssh { config = ${JSON.stringify(sshConfig)} }
}
`,
      );
      const lazyssh = (...args: string[]) =>
        runProgram(["replicate", ...args, "--config", config, "--state-dir", join(here.folder, "state")]);
      for (const name of ["backup/mail", "backup/mail/old"]) {
        await there.zfs("create", name);
        await fillDataset(there, name, { files: 4 });
      }
      await there.zfs("snapshot", "-r", "backup/mail@one");
      const before = await files(there, "backup/mail/old@one");
      expect(await lazyssh("mail")).toMatchObject({ code: 0 });

      const drill = await lazyssh("restore", "mail", "--to", "backup/drill");
      expect([drill.code, drill.stderr]).toEqual([0, expect.stringContaining("To see it on archiver:")]);
      expect(await files(there, "backup/drill/old@one")).toEqual(before);
      expect(await there.get("readonly", "backup/drill/old")).toBe("off");
      expect(await there.get("mounted", "backup/drill")).toBe("no");
      for (const name of ["tank/mail", "tank/mail/old"])
        expect(await here.get("userrefs", `${name}@one`)).toBe("0");

      const refused = await lazyssh("restore", "mail");
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringContaining("backup/mail exists on archiver, and nothing is restored over it"),
      ]);
      await fillDataset(there, "backup/mail/old", { files: 4, seed: 2 });
      await there.zfs("umount", "backup/mail/old");
      await there.zfs("umount", "backup/mail");
      const replaced = await lazyssh("restore", "mail", "--yes-destroy-target");
      expect([replaced.code, replaced.stderr]).toEqual([0, expect.stringContaining("is restored")]);
      expect(await namesOf(there, "backup")).not.toContainEqual(expect.stringContaining("replaced"));
      expect(await files(there, "backup/mail/old@one")).toEqual(before);

      await there.zfs("set", "mountpoint=/mail", "backup/mail");
      await there.zfs("mount", "backup/mail/old");
      await fillDataset(there, "backup/mail/old", { files: 4, seed: 3 });
      await there.zfs("snapshot", "-r", "backup/mail@two");
      const next = await lazyssh("mail");
      expect([next.code, next.stderr]).toEqual([0, expect.stringContaining("@two")]);
      expect(await files(here, "tank/mail/old@two")).toEqual(await files(there, "backup/mail/old@two"));
      expect(await files(here, "tank/mail/old@one")).toEqual(before);
    },
    TIMEOUT_MS,
  );
});
