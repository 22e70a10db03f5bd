import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { guestBehindJump, testWithGuest } from "../../harness/guest.ts";
import { ssh } from "../../harness/ssh.ts";

/** Software emulation on a busy machine. */
const LIMIT_MS = 240_000;

testWithGuest(
  "a virtual machine boots when ssh connects, powers off when it is not needed, and its pool outlives it",
  async () => {
    await using guest = await guestBehindJump();
    const { jump, sshConfig } = guest;
    const { folder, program } = jump;
    const on = async (line: string): Promise<string> => {
      const command = `until [ -e /run/zfs-ready ]; do sleep 0.1; done; ${line}`;
      const { code, stdout, stderr } = await ssh(["-F", sshConfig, "guest", command], {
        deadlineMs: LIMIT_MS / 2,
      });
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.toString().trim();
    };
    const first =
      "zpool create backup /dev/vdb && echo kept >/backup/file && cat /proc/sys/kernel/random/boot_id";
    const boot = await on(first);
    // Who comes while it powers off waits for that, and gets the next one. The import is not forced.
    const second = "zpool import backup && cat /backup/file /proc/sys/kernel/random/boot_id";
    const [kept, secondBoot] = (await on(second)).split("\n");
    expect(kept).toBe("kept");
    expect(secondBoot).not.toBe(boot);
    expect(program.log.filter(({ msg }) => msg === "machine.leak_suspected")).toEqual([]);
    expect(await readFile(join(folder.path, "volume.img.console"), "utf8")).not.toContain("panic");
  },
  LIMIT_MS,
);
