import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { SshSettings } from "../../../src/config/replicate.ts";
import { openSession, type Session, type SessionOptions } from "../../../src/replicate/ssh/session.ts";
import { stayAlive, systemClock } from "../../../src/util/clock.ts";
import { type JumpHost, startJumpHost } from "../../harness/jump-host.ts";
import { requires } from "../../harness/requires.ts";
import { type RealSshd, startSshd } from "../../harness/sshd.ts";
import { tempDir } from "../../harness/temp.ts";
import { eventually } from "../../harness/world.ts";

const itWith = requires("sshd", "ps");
const never = new AbortController().signal;

let host: JumpHost;
let sshd: RealSshd;
let awake: Disposable;

beforeAll(async () => {
  awake = stayAlive();
  host = await startJumpHost();
  sshd = await startSshd(host.folder, host.hostKey, host.clientKey);
});
afterAll(async () => {
  await sshd[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  awake[Symbol.dispose]();
});

/** Opens a session to the real sshd; what is temporary is in a folder of its own, so that one can see what is left. */
async function open(
  more: Partial<SshSettings> & { readonly through?: boolean } = {},
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  const { through = false, ...settings } = more;
  const common = { User: sshd.user, IdentityFile: host.clientKey.path };
  const config = await host.folder.config({
    lazyssh: { HostName: "127.0.0.1", Port: host.port, ...common, User: "jump" },
    archiver: {
      HostName: through ? "archiver" : "127.0.0.1",
      HostKeyAlias: "archiver",
      Port: sshd.port,
      ...common,
    },
  });
  const session = await openSession({
    ssh: {
      program: "ssh",
      config,
      user: undefined,
      identity: undefined,
      jump: through ? "lazyssh" : undefined,
      port: undefined,
      options: [],
      ...settings,
    },
    target: "archiver",
    clock: systemClock,
    signal: never,
    bootTimeoutMs: 25_000,
    ...options,
  });
  await session.settled;
  return session;
}

/** Processes whose command line names the socket, or whatever else is only ours. */
function processesWith(text: string): string[] {
  const { stdout } = spawnSync("ps", ["-eo", "pid,stat,args"], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.includes(text) && !/^\s*\d+\s+Z/.test(line));
}

/** The path of the socket, or of the config when there is none, as commands of the side have it. */
function markOf(session: Session): string {
  const argv = session.side.command(["true"]);
  const socket = argv.find((word) => word.startsWith("ControlPath="));
  return socket === "ControlPath=none" ? (argv[2] ?? "") : (socket ?? "").slice("ControlPath=".length);
}

describe.concurrent("openSession", () => {
  itWith("runs commands over one connection, word for word", async () => {
    const session = await open();
    try {
      expect(session.shared).toBe(true);
      expect(session.bootSeconds).toBeGreaterThan(0);
      const words = ["two words", "it's", 'a"b', "back\\slash", "$HOME `id`", "", "line\nend", "*"];
      const ran = await session.side.run(["printf", "%s|", ...words], { signal: never });
      expect(ran).toMatchObject({ status: 0, stdout: `${words.join("|")}|`, stderr: "" });
      const failed = await session.side.run(["sh", "-c", "cat; echo no >&2; exit 7"], {
        signal: never,
        input: "in",
      });
      expect(failed).toMatchObject({ status: 7, stdout: "in", stderr: "no\n" });
      const apart = await session.side.run(["sh", "-c", "kill -9 $$"], { signal: never, apart: true });
      expect(apart.status).toBe(255);
      expect((await session.side.run(["echo", "still"], { signal: never })).stdout).toBe("still\n");
    } finally {
      await session.close();
    }
  });

  itWith("leaves neither process nor file behind", async () => {
    const session = await open({ through: true });
    const mark = markOf(session);
    expect(processesWith(mark).length).toBeGreaterThan(0);
    await session.close();
    await session.close();
    expect(session.lost.aborted).toBe(false);
    expect(() => readdirSync(join(mark, ".."))).toThrow("ENOENT");
    expect(processesWith(mark)).toEqual([]);
    // The ssh that it has started for the jump names the config.
    const config = session.side.command([])[2] ?? "";
    await eventually("the jump's ssh to be gone", () => processesWith(config).length === 0);
  });

  itWith("tells when the connection is lost, and does not connect anew", async () => {
    const session = await open();
    const mark = markOf(session);
    const [line = ""] = processesWith(mark);
    process.kill(Number(line.trim().split(" ")[0]), "SIGKILL");
    await eventually("the loss to be told of", () => session.lost.aborted);
    expect(session.lost.reason).toMatchObject({ kind: "lost", code: "MACHINE_DIED" });
    expect((await session.side.run(["true"], { signal: never })).status).toBe(255);
    await session.close();
    expect(() => readdirSync(join(mark, ".."))).toThrow("ENOENT");
  });

  itWith("makes a connection for each command where they cannot share one", async (test) => {
    const dir = tempDir(test);
    // As an ssh without multiplexing, or a server with MaxSessions 1: it never makes a socket.
    const program = join(dir, "ssh");
    const script = `#!/bin/sh\nfor word; do shift; case $word in ControlMaster=*) word=ControlMaster=no;; ControlPath=*) word=ControlPath=none;; esac; set -- "$@" "$word"; done\nexec ssh "$@"\n`;
    writeFileSync(program, script, { mode: 0o755 });
    const session = await open({ program });
    try {
      expect(session.shared).toBe(false);
      expect((await session.side.run(["echo", "own"], { signal: never })).stdout).toBe("own\n");
    } finally {
      await session.close();
    }
  });

  itWith("is not misled by what an ssh config wants for people", async () => {
    const session = await open({
      options: [
        "RequestTTY=force",
        "RemoteCommand=sleep 100",
        "ControlMaster=auto",
        "ControlPersist=yes",
        "PermitLocalCommand=yes",
        "LocalCommand=echo local",
        "LogLevel=QUIET",
      ],
    });
    try {
      const ran = await session.side.run(["printf", "a\nb"], { signal: never });
      expect(ran).toMatchObject({ status: 0, stdout: "a\nb" });
    } finally {
      await session.close();
    }
  });

  itWith("says why it is not let in", async () => {
    const refused = open({ options: ["Port=1"] });
    await expect(refused).rejects.toMatchObject({ kind: "refused", retryable: true });
    const unknown = open({ options: ["HostKeyAlias=somebody-else"] });
    await expect(unknown).rejects.toMatchObject({ kind: "host-key", retryable: false });
    const nobody = open({ user: sshd.user, options: ["PubkeyAuthentication=no"] });
    await expect(nobody).rejects.toMatchObject({ kind: "denied", retryable: false });
    await expect(open({ options: ["Nope=1"] })).rejects.toMatchObject({ kind: "config" });
    await expect(open({ program: "/nowhere/ssh" })).rejects.toThrow("cannot start /nowhere/ssh");
  });

  itWith("has the words of the jump host that refuses", async () => {
    const refused = open({ through: true, options: ["HostName=nothing-such"] });
    await expect(refused).rejects.toMatchObject({ kind: "jump" });
    await expect(refused).rejects.toThrow("nothing-such");
  });

  itWith("does not outlive who opened it, however that ended", async () => {
    const config = await host.folder.config({
      archiver: {
        HostName: "127.0.0.1",
        HostKeyAlias: "archiver",
        Port: sshd.port,
        User: sshd.user,
        IdentityFile: host.clientKey.path,
      },
    });
    const built = (path: string) => JSON.stringify(new URL(`../../../dist/${path}`, import.meta.url).href);
    const script = `
      const { openSession } = await import(${built("replicate/ssh/session.js")});
      const { systemClock } = await import(${built("util/clock.js")});
      const { settled } = await openSession({
        ssh: { program: "ssh", config: process.argv[1], options: [] },
        target: "archiver", clock: systemClock, signal: new AbortController().signal, bootTimeoutMs: 25000,
      });
      await settled;
      console.log("open");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const masters = () => processesWith(`ssh -F ${config}`);
    try {
      const [said] = (await once(child.stdout, "data")) as [Buffer];
      expect(said.toString()).toBe("open\n");
      expect(masters().length).toBe(1);
    } finally {
      child.kill("SIGKILL");
    }
    await eventually("the connection to end", () => masters().length === 0);
  });

  itWith("gives up in time, with nothing left", async (test) => {
    const dir = tempDir(test);
    const program = join(dir, "ssh");
    writeFileSync(
      program,
      `#!/bin/sh\n[ "$1" = -V ] && exec ssh -V\necho $$ >> ${dir}/pids\necho waiting >&2\nexec sleep 100\n`,
      { mode: 0o755 },
    );
    const late = open({ program }, { bootTimeoutMs: 6_000 });
    await expect(late).rejects.toThrow(
      "archiver did not answer within 6 s (boot_timeout); ssh says: waiting",
    );
    const abort = new AbortController();
    const left = open({ program }, { signal: abort.signal });
    const pids = () => readFileSync(join(dir, "pids"), "utf8").trim().split("\n");
    await eventually("the second ssh", () => pids().length === 2);
    abort.abort(new Error("not wanted"));
    await expect(left).rejects.toThrow("not wanted");
    const alive = processesWith("sleep 100").filter((line) =>
      pids().includes(line.trim().split(/\s+/)[0] ?? ""),
    );
    expect(alive).toEqual([]);
  });
});
