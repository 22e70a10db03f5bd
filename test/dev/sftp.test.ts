import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorld, type TestWorld } from "../harness/world.ts";
import { bootMachine, type Machine, runProgram, ssh, sshOptions } from "./machine.ts";

let world: TestWorld;
let machine: Machine;
let local: string;

beforeAll(async () => {
  local = mkdtempSync(join(tmpdir(), "lazyssh-sftp-"));
  world = await startWorld();
  machine = await bootMachine(world, { volume: true });
});
afterAll(async () => {
  await world.stop();
  rmSync(local, { recursive: true, force: true });
});

function sftp(...lines: string[]) {
  return runProgram(
    "sftp",
    [...sshOptions(world), "-b", "-", `root@${machine.address}`],
    `${lines.join("\n")}\n`,
  );
}

test("sftp starts in the home and lists as ls does", async () => {
  writeFileSync(join(local, "one"), "1\n");
  const home = join(world.world.dir, "instances", machine.id);
  const outcome = await sftp("pwd", `put ${local}/one`, "ls -l one", "ls");
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(outcome.stdout).toContain(`Remote working directory: ${home}\n`);
  expect(outcome.stdout).toMatch(/^-rw-r--r-- +\S+ +\S+ +\S+ +2 \w{3} \d\d \d\d:\d\d one$/m);
  expect(outcome.stdout).toMatch(/one +volume +volumes/);
});

test("sftp makes, renames, links and removes", async () => {
  writeFileSync(join(local, "two"), "22\n");
  const outcome = await sftp(
    "mkdir d",
    `put ${local}/two d/a`,
    "rename d/a d/b",
    "symlink b d/link",
    "chmod 600 d/b",
    `get d/link ${local}/back`,
  );
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(local, "back"), "utf8")).toBe("22\n");
  expect((await ssh(world, machine, "readlink d/link; stat -c %a d/b")).stdout).toBe("b\n600\n");
  expect(await sftp("rm d/b", "rm d/link", "rmdir d")).toMatchObject({ status: 0 });
  expect((await ssh(world, machine, "ls -d d")).status).not.toBe(0);
});

test("sftp says what is wrong", async () => {
  expect((await sftp("get nothing-here")).stderr).toContain("not found");
  expect((await sftp("mkdir twice", "mkdir twice")).status).toBe(1);
  await ssh(world, machine, "echo a > taken; echo b > other");
  expect((await sftp("rename other taken")).status).toBe(1);
  expect((await ssh(world, machine, "cat taken")).stdout).toBe("a\n");
});

test("scp carries a tree both ways with modes and times", async () => {
  mkdirSync(join(local, "tree", "leaf"), { recursive: true });
  writeFileSync(join(local, "tree", "run"), "#!/bin/sh\n", { mode: 0o755 });
  const bytes = Buffer.alloc(3_000_001, "lazyssh ");
  writeFileSync(join(local, "tree", "leaf", "big"), bytes);
  const remote = `root@${machine.address}:volume/`;
  expect(await runProgram("scp", ["-rp", ...sshOptions(world), join(local, "tree"), remote])).toMatchObject({
    status: 0,
  });
  const kept = join(world.world.volumeFolder, "tree");
  expect(readFileSync(join(kept, "leaf", "big")).equals(bytes)).toBe(true);
  expect(statSync(join(kept, "run")).mode & 0o777).toBe(0o755);
  expect(Math.floor(statSync(join(kept, "run")).mtimeMs / 1000)).toBe(
    Math.floor(statSync(join(local, "tree", "run")).mtimeMs / 1000),
  );
  const back = await runProgram("scp", [
    "-r",
    ...sshOptions(world),
    `${remote}tree`,
    join(local, "back-again"),
  ]);
  expect(back).toMatchObject({ status: 0 });
  expect(readFileSync(join(local, "back-again", "leaf", "big")).equals(bytes)).toBe(true);
});

test("a folder of many files is listed completely", async () => {
  await ssh(
    world,
    machine,
    "mkdir many; cd many; i=0; while [ $i -lt 1234 ]; do : > file-$i; i=$((i+1)); done",
  );
  const { stdout } = await sftp("ls -1 many");
  expect(stdout.split("\n").filter((line) => line.startsWith("many/file-"))).toHaveLength(1234);
});
