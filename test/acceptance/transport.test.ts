import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requires } from "../harness/requires.ts";
import { type Scene, startScene } from "../harness/scene.ts";
import { connected } from "../harness/tcp.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";

const MIB = 1024 * 1024;

/** Everything here shares one machine, which lingers between the tests. */
let s: Scene;
beforeAll(async () => {
  s = await startScene({
    target: { linger: '"5m"' },
    more: 'target "here" "forward" {\n  to = "127.0.0.1"\n}\n',
  });
}, 60_000);
afterAll(async () => {
  await s[Symbol.asyncDispose]();
});

function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

async function run(command: string, ...args: string[]): Promise<string> {
  const client = s.start(command, args);
  client.process.stdin.end();
  const { code, stdout, stderr } = await client.ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.toString();
}

describe("through the jump host, with the OpenSSH client", () => {
  test("ssh -J runs a command and passes its exit status on", async () => {
    const { code, stdout } = await s.ssh("echo out; exit 7");
    expect([code, stdout.toString()]).toEqual([7, "out\n"]);
  });

  test("ProxyJump of an ssh config does the same", async () => {
    const { code, stdout } = await s.ssh("echo out", { args: [] });
    expect([code, stdout.toString()]).toEqual([0, "out\n"]);
  });

  test("ssh -W reaches the port of the machine", async () => {
    const client = s.start("ssh", ["-F", s.sshConfig, "-W", `archiver:${s.world.guestPort}`, "lazyssh"]);
    const banner = await new Promise<string>((resolve) =>
      client.process.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString())),
    );
    expect(banner).toMatch(/^SSH-2\.0-/);
    client.process.stdin.end();
    await client.ended;
  });

  test("scp copies there and back, in both of its protocols", async () => {
    const dir = tempDir();
    const content = randomBytes(3 * MIB);
    for (const protocol of [["-s"], ["-O"]]) {
      writeFileSync(join(dir, "there"), content);
      await run("scp", ...protocol, "-F", s.sshConfig, join(dir, "there"), "archiver:copied");
      await run("scp", ...protocol, "-F", s.sshConfig, "archiver:copied", join(dir, "back"));
      expect(sha256(readFileSync(join(dir, "back")))).toBe(sha256(content));
    }
  });

  test("sftp puts, lists, renames and gets", async () => {
    const dir = tempDir();
    const content = randomBytes(MIB);
    writeFileSync(join(dir, "letter"), content);
    const batch = join(dir, "batch");
    writeFileSync(
      batch,
      `mkdir box\nput ${join(dir, "letter")} box/a\nrename box/a box/b\nls -l box\nget box/b ${join(dir, "back")}\nrm box/b\nrmdir box\n`,
    );
    const listing = await run("sftp", "-F", s.sshConfig, "-b", batch, "archiver");
    expect(listing).toMatch(/1048576 .*b/);
    expect(sha256(readFileSync(join(dir, "back")))).toBe(sha256(content));
  });

  requires("rsync")("rsync brings a tree over and back", async () => {
    const dir = tempDir();
    mkdirSync(join(dir, "tree", "sub"), { recursive: true });
    const content = randomBytes(2 * MIB);
    writeFileSync(join(dir, "tree", "sub", "file"), content);
    const shell = `ssh -F ${s.sshConfig}`;
    await run("rsync", "-a", "-e", shell, join(dir, "tree"), "archiver:rsynced/");
    await run("rsync", "-a", "-e", shell, "archiver:rsynced/tree", join(dir, "back"));
    expect(sha256(readFileSync(join(dir, "back", "tree", "sub", "file")))).toBe(sha256(content));
  });

  requires("git")("git clones from the machine", async () => {
    const dir = tempDir();
    const id = "-c user.name=t -c user.email=t@example.invalid";
    const { code, stderr } = await s.ssh(
      `git init -q -b main repo && cd repo && echo hi > file && git add file && git ${id} commit -qm first`,
    );
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    await run(
      "git",
      "-c",
      `core.sshCommand=ssh -F ${s.sshConfig}`,
      "clone",
      "-q",
      "archiver:repo",
      join(dir, "clone"),
    );
    expect(readFileSync(join(dir, "clone", "file"), "utf8")).toBe("hi\n");
    expect(existsSync(join(dir, "clone", ".git"))).toBe(true);
  });

  test("200 MB arrive whole in each direction", async () => {
    const content = randomBytes(200_000_000);
    const up = await s.ssh("cat > ~/big && sha256sum < ~/big 2>/dev/null || shasum -a 256 < ~/big", {
      input: content,
    });
    expect(up.code).toBe(0);
    expect(up.stdout.toString().split(" ")[0]).toBe(sha256(content));
    const down = await s.ssh("cat ~/big; rm ~/big");
    expect(down.code).toBe(0);
    expect(sha256(down.stdout)).toBe(sha256(content));
  }, 180_000);
});

describe("half-closed connections", () => {
  /** A plain TCP server on loopback, reached as a forward target with ssh -W. */
  async function tcp(onConnection: Parameters<typeof createServer>[1]) {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return {
      server,
      port,
      client: () => s.start("ssh", ["-F", s.sshConfig, "-W", `here:${port}`, "lazyssh"]),
    };
  }

  test("a client that closes its direction first still gets everything", async () => {
    const answer = randomBytes(20 * MIB);
    const received: Buffer[] = [];
    const { server, client } = await tcp((socket) => {
      socket.on("data", (chunk: Buffer) => received.push(chunk));
      socket.on("end", () => socket.end(answer));
    });
    const ssh = client();
    ssh.process.stdin.end("question");
    const { stdout } = await ssh.ended;
    expect(Buffer.concat(received).toString()).toBe("question");
    expect(sha256(stdout)).toBe(sha256(answer));
    server.close();
  }, 60_000);

  test("a target that closes its direction first still gets everything", async () => {
    const question = randomBytes(20 * MIB);
    const received: Buffer[] = [];
    const { server, port } = await tcp((socket) => {
      socket.end("bye");
      socket.on("data", (chunk: Buffer) => received.push(chunk));
    });
    // Not ssh -W: that client gives its own direction up when the target's ends. A forwarded socket does not.
    const path = join(s.world.dir, "forwarded");
    s.start("ssh", ["-F", s.sshConfig, "-N", "-L", `${path}:here:${port}`, "lazyssh"]);
    const local = await connected(path);
    local.resume();
    await once(local, "end");
    local.end(question);
    await eventually(
      "all bytes",
      () => received.reduce((sum, { length }) => sum + length, 0) === question.length,
    );
    expect(sha256(Buffer.concat(received))).toBe(sha256(question));
    server.close();
  }, 60_000);
});

describe("refusals on the client's terminal", () => {
  test("an unknown target says which exist", async () => {
    const client = s.start("ssh", ["-F", s.sshConfig, "-o", "BatchMode=yes", "-W", "archivr:22", "lazyssh"]);
    const { code, stderr } = await client.ended;
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      'there is no target "archivr": did you mean "archiver"? targets are: archiver, here',
    );
  });

  test("a port that nothing listens on says so", async () => {
    const client = s.start("ssh", ["-F", s.sshConfig, "-o", "BatchMode=yes", "-W", "here:1", "lazyssh"]);
    const { stderr } = await client.ended;
    expect(stderr).toMatch(/port 1\b/);
    expect(stderr).toMatch(/refuse|nothing listens/i);
  });

  test("a key that is not the configured one does not get in", async () => {
    const listening = await s.jump.logged("listening");
    const options = [
      "BatchMode=yes",
      "IdentitiesOnly=yes",
      "StrictHostKeyChecking=no",
      "UserKnownHostsFile=/dev/null",
    ];
    const client = s.start("ssh", [
      ...["-F", "none", "-p", String(listening.port), "-i", s.world.keys.user.path],
      ...options.flatMap((option) => ["-o", option]),
      ...["-W", "archiver:22", "jump@127.0.0.1"],
    ]);
    const { code, stderr } = await client.ended;
    expect(code).toBe(255);
    expect(stderr).toContain("Permission denied (publickey)");
  });
});
