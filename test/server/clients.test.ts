import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type OpenDoor, openDoor } from "../harness/front-door.ts";
import { requires } from "../harness/requires.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { echo, tcpTarget } from "../harness/tcp.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe.each(["ed25519", "ecdsa", "rsa"] as const)("a host key and a client key of type %s", (type) => {
  test("work with OpenSSH", async () => {
    await using door = await openDoor({ hostKeyType: type, clientKeyType: type });
    await using target = await tcpTarget(echo);
    const config = await door.config();
    const result = await ssh(["-F", config, "-W", `archiver:${target.port}`, "lazyssh"], { input: "hello" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("hello");
  });
});

/** 5 MB there and back; plain pipes, so that any client will do. */
async function echoes(program: string, args: readonly string[], home?: string): Promise<void> {
  const sent = randomBytes(5_000_000);
  const client = startSsh(args, { program, ...(home && { home }) });
  client.child.stdin?.write(sent);
  let got = 0;
  client.child.stdout?.on("data", (chunk: Buffer) => {
    got += chunk.length;
    // Some clients end at the end of their input, whatever is still to come.
    if (got === sent.length) client.child.stdin?.end();
  });
  const result = await client.result;
  expect(sha256(result.stdout), result.stderr).toBe(sha256(sent));
}

async function dropbearKey(door: OpenDoor): Promise<string> {
  const path = join(door.folder.path, "client.dropbear");
  await promisify(execFile)("dropbearconvert", ["openssh", "dropbear", door.clientKey.path, path]);
  return path;
}

describe("dropbear", () => {
  const itWith = requires("dbclient", "dropbearconvert");
  itWith("dbclient -B reaches a target, though it guesses the key exchange", async () => {
    await using door = await openDoor();
    await using target = await tcpTarget(echo);
    const key = await dropbearKey(door);
    const at = ["-p", String(door.port), "-i", key, "-B", `archiver:${target.port}`, "jump@127.0.0.1"];
    await echoes("dbclient", ["-y", "-y", "-T", ...at], door.folder.path);
  });
});

describe("PuTTY", () => {
  const itWith = requires("plink", "puttygen");
  itWith("plink -nc reaches a target", async () => {
    await using door = await openDoor();
    await using target = await tcpTarget(echo);
    const key = join(door.folder.path, "client.ppk");
    await copyFile(door.clientKey.path, `${key}.pem`);
    await promisify(execFile)("puttygen", [`${key}.pem`, "-O", "private", "-o", key]);
    const { stdout } = await promisify(execFile)("ssh-keygen", ["-lf", `${door.hostKey.path}.pub`]);
    const fingerprint = stdout.split(" ")[1] ?? "";
    const at = ["-P", String(door.port), "-i", key, "-hostkey", fingerprint, "jump@127.0.0.1"];
    await echoes("plink", ["-batch", "-noagent", "-nc", `archiver:${target.port}`, ...at], door.folder.path);
  });
});
