import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/util/clock.ts";
import { type OpenDoor, openDoor, poll } from "../harness/front-door.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { sshTarget } from "../harness/ssh-target.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

const MB = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

let door: OpenDoor;
let config: string;
let target: TcpTarget;
/** What the target does with a connection; set by the test. */
let serve: (socket: Socket) => void = echo;

beforeAll(async () => {
  door = await openDoor();
  config = await door.config();
  target = await tcpTarget((socket) => serve(socket));
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

afterEach(async () => {
  await poll("end of all connections to the target", () => target.sockets.size === 0);
});

const tunnel = (port = target.port, name = "archiver"): string[] => [
  "-F",
  config,
  "-W",
  `${name}:${port}`,
  "lazyssh",
];
const swallow = (socket: Socket): void => {
  socket.resume();
  socket.on("end", () => socket.end());
};
const allGivenBack = (): Promise<boolean> => poll("end of all leases", () => door.targets.held === 0);

describe("a plain OpenSSH client", () => {
  test("reaches a port of a target with ssh -W", async () => {
    serve = echo;
    const result = await ssh(tunnel(), { input: "hello" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("hello");
    const closed = await door.event("channel.close", ({ port }) => port === target.port);
    expect(closed).toMatchObject({ target: "archiver", bytesUp: 5, bytesDown: 5 });
    await allGivenBack();
  });

  test("logs in to the target behind with ssh -J", async () => {
    const key = await door.folder.key("inner-host");
    await using inner = await sshTarget(key, door.clientKey);
    await door.folder.known("archiver", inner.port, key);
    const hosts = { archiver: { User: "root", Port: inner.port, IdentityFile: door.clientKey.path } };
    const file = await door.config(hosts);
    const result = await ssh(["-F", file, "-J", "lazyssh", "archiver", "zfs recv tank"], { input: "stream" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("zfs recv tank\nstream");
  });

  test("moves 64 MB each way at once without a wrong byte", async () => {
    serve = echo;
    const sent = randomBytes(64 * MB);
    const result = await ssh(tunnel(), { input: sent, deadlineMs: 60_000 });
    expect(result.code).toBe(0);
    expect(sha256(result.stdout)).toBe(sha256(sent));
  }, 70_000);

  test("may exchange keys again in the middle of a transfer, as often as it likes", async () => {
    serve = echo;
    const sent = randomBytes(24 * MB);
    const result = await ssh(["-o", "RekeyLimit=1M", "-v", ...tunnel()], { input: sent });
    expect(result.code).toBe(0);
    expect(sha256(result.stdout)).toBe(sha256(sent));
    expect(result.stderr.match(/rekey/gi)?.length).toBeGreaterThan(10);
  });

  test.each([
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
  ])("may choose the cipher %s", async (cipher) => {
    serve = echo;
    const sent = randomBytes(2 * MB);
    const result = await ssh(["-c", cipher, ...tunnel()], { input: sent });
    expect(sha256(result.stdout)).toBe(sha256(sent));
  });

  test.each(["curve25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512"])(
    "may choose the key exchange %s",
    async (kex) => {
      serve = echo;
      const result = await ssh(["-o", `KexAlgorithms=${kex}`, ...tunnel()], { input: "hello" });
      expect(result.stdout.toString()).toBe("hello");
    },
  );

  test("is offered nothing with SHA-1, no group exchange and no compression", async () => {
    for (const weak of [
      "KexAlgorithms=diffie-hellman-group14-sha1",
      "KexAlgorithms=diffie-hellman-group-exchange-sha256",
      "MACs=hmac-sha1",
    ]) {
      const result = await ssh(["-o", weak, "-o", "Ciphers=aes128-ctr", ...tunnel()]);
      expect(result.code, weak).toBe(255);
      expect(result.stderr, weak).toMatch(/no matching|Unable to negotiate/);
    }
    const compressed = await ssh(["-v", "-C", ...tunnel()], { input: "hello" });
    expect(compressed.stderr).toContain("compression: none");
  });

  test("gets what the target sends after it has ended its own direction", async () => {
    const answer = randomBytes(20 * MB);
    serve = (socket) => {
      socket.resume();
      socket.on("end", () => socket.end(answer));
    };
    const result = await ssh(tunnel(), { input: "question" });
    expect(sha256(result.stdout)).toBe(sha256(answer));
  });

  test("is heard to the end by a target that has ended its own direction first", async () => {
    const received: Buffer[] = [];
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    serve = (socket) => {
      socket.end("bye");
      socket.on("data", (chunk: Buffer) => received.push(chunk));
      socket.on("end", end);
    };
    // With -W the client itself ends both directions at once, with -L it does not.
    const path = `${door.folder.path}/forward`;
    const client = startSsh(["-F", config, "-N", "-L", `${path}:archiver:${target.port}`, "lazyssh"]);
    await poll("local socket", () => existsSync(path));
    const local = connect({ path, allowHalfOpen: true });
    const [greeting] = (await once(local, "data")) as [Buffer];
    await once(local, "end");
    const upload = randomBytes(20 * MB);
    local.end(upload);
    await ended;
    expect(greeting.toString()).toBe("bye");
    expect(sha256(Buffer.concat(received))).toBe(sha256(upload));
    await client.end();
  });

  test("gets all that a target sent before it broke the connection", async () => {
    const sent = randomBytes(3 * MB);
    const got: Buffer[] = [];
    const most = () => got.reduce((sum, { length }) => sum + length, 0) > 2.5 * MB;
    serve = (socket) => {
      socket.write(sent);
      // With so much at the client, its window has room for the rest.
      void poll("most of it at the client", most)
        .then(() => systemClock.sleep(300))
        .then(() => socket.resetAndDestroy());
    };
    const client = startSsh(tunnel(), { stdout: "manual" });
    for await (const chunk of client.child.stdout ?? []) got.push(chunk as Buffer);
    expect(sha256(Buffer.concat(got))).toBe(sha256(sent));
    await allGivenBack();
  });

  test("is served while fifty others log in at the same time", async () => {
    serve = echo;
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, n) => ssh(tunnel(), { input: `client ${n}`, deadlineMs: 60_000 })),
    );
    expect(all.map(({ stdout }) => stdout.toString())).toEqual(all.map((_, n) => `client ${n}`));
    await allGivenBack();
  }, 70_000);
});

describe("a refusal says why, in the client's terminal", () => {
  test("for a target that is not configured, and names those that are", async () => {
    const { code, stderr } = await ssh(tunnel(22, "archivist"));
    expect(code).toBe(255);
    expect(stderr).toContain(
      'open failed: administratively prohibited: unknown target "archivist": this jump host has archiver',
    );
  });

  test("for a port that may not be reached, without a machine being asked for", async () => {
    const before = door.targets.tenants.length;
    door.targets.ports = [22];
    const one = await ssh(tunnel(80));
    door.targets.ports = [22, 8022];
    const some = await ssh(tunnel(80));
    door.targets.ports = undefined;
    expect(one.stderr).toContain(
      "archiver: port 80 may not be reached through this jump host, only port 22 may",
    );
    expect(some.stderr).toContain("these may: 22, 8022");
    expect(door.targets.tenants).toHaveLength(before);
  });

  test("for a port that nobody listens on", async () => {
    // Of the service that throws everything away; a port that was free a moment ago may be another's by now.
    const { stderr } = await ssh(tunnel(9));
    expect(stderr).toContain(
      "connect failed: archiver: nothing listens on port 9 of the machine (ECONNREFUSED)",
    );
    expect(door.targets.held).toBe(0);
  });

  test("for a boot that failed, whatever its words are made of", async () => {
    door.targets.boot = () => Promise.reject(new Error("no\ncapacity \u001b[31min zone\u202e a"));
    const { stderr } = await ssh(tunnel());
    door.targets.boot = () => Promise.resolve();
    expect(stderr).toContain("connect failed: no capacity [31min zone a");
    expect(door.targets.pending).toBe(0);
  });

  test("for a remote forwarding, which is no channel at all", async () => {
    const args = ["-F", config, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:localhost:22", "lazyssh"];
    const { code, stderr } = await ssh(args);
    expect(code).toBe(255);
    expect(stderr).toContain("remote port forwarding failed");
  });
});

describe("machines are kept exactly as long as they are needed", () => {
  test("a client that vanishes during the boot gives its place back", async () => {
    door.targets.boot = (_, signal) => systemClock.sleep(60_000, signal);
    const client = startSsh(tunnel());
    await poll("boot", () => door.targets.pending === 1);
    client.child.kill("SIGKILL");
    await poll("cancelled boot", () => door.targets.pending === 0);
    door.targets.boot = () => Promise.resolve();
    expect(door.targets.held).toBe(0);
  });

  test("a client that vanishes during a transfer gives its machine back", async () => {
    serve = swallow;
    const client = startSsh(tunnel());
    await poll("lease", () => door.targets.held === 1);
    client.child.kill("SIGKILL");
    await allGivenBack();
  });

  test("a machine that is taken away ends its channels, with the reason in the log", async () => {
    serve = swallow;
    const client = startSsh(tunnel());
    await poll("open channel", () => door.targets.held === 1 && target.sockets.size === 1);
    door.targets.kill("archiver: the machine was terminated by somebody else");
    await client.result;
    await door.event("channel.close", ({ reason }) => reason.includes("terminated by somebody else"));
    await allGivenBack();
  });

  test("a machine booted for a client is not given back while a second channel uses it", async () => {
    serve = echo;
    const one = startSsh(tunnel());
    const two = startSsh(tunnel());
    await poll("two leases", () => door.targets.held === 2);
    one.child.stdin?.end();
    await one.result;
    await poll("one lease", () => door.targets.held === 1);
    two.child.stdin?.end("still here");
    expect((await two.result).stdout.toString()).toBe("still here");
    await allGivenBack();
  });
});

describe("closing", () => {
  test("refuses new channels and connections first, then ends what is left with a message", async () => {
    serve = echo;
    await using other = await openDoor();
    const file = await other.config();
    const control = `${other.folder.path}/master`;
    const shared = ["-F", file, "-o", "ControlMaster=auto", "-o", `ControlPath=${control}`];
    const open = startSsh([...shared, "-W", `archiver:${target.port}`, "lazyssh"]);
    await poll("lease", () => other.targets.held === 1);
    other.door.refuseNew("the jump host is shutting down: try again when it is back");

    const second = await ssh([...shared, "-W", `archiver:${target.port}`, "lazyssh"]);
    expect(second.stderr).toContain("");
    await other.event("channel.refused", ({ code }) => code === "SHUTTING_DOWN");
    const stranger = await ssh(["-F", file, "-W", `archiver:${target.port}`, "lazyssh"]);
    expect(stranger.stderr).toMatch(/refused|closed/);

    await other.door.close();
    const { stderr } = await open.result;
    expect(stderr).toContain("the jump host is shutting down: try again when it is back");
    expect(other.door.connections).toBe(0);
    expect(other.targets.held).toBe(0);
  });

  test("does not wait for a client that listens no more", async () => {
    await using other = await openDoor({ limits: { closeMs: 200 } });
    const file = await other.config();
    const client = startSsh(["-F", file, "-W", `archiver:${target.port}`, "lazyssh"]);
    await poll("lease", () => other.targets.held === 1);
    client.child.kill("SIGSTOP");
    const before = Date.now();
    await other.door.close();
    expect(Date.now() - before).toBeLessThan(5_000);
    client.child.kill("SIGKILL");
    await once(client.child, "close");
  });
});
