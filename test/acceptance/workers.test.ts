import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { flow } from "../harness/flow.ts";
import { jump, openChannel } from "../harness/jump.ts";
import { listening } from "../harness/listener.ts";
import { type Program, runProgram } from "../harness/program.ts";
import { type Client, type Scene, startScene } from "../harness/scene.ts";
import { ssh, startSsh } from "../harness/ssh.ts";
import { lives, workersOf, workerWith } from "../harness/workers.ts";
import { eventually } from "../harness/world.ts";

const TIMEOUT_MS = 90_000;
const MB = 1_000_000;

const linesOf = (program: Program, msg: string) => program.log.filter((line) => line.msg === msg);
/** Clients whose connections have been served, the oldest first. */
const clientsOf = (program: Program) =>
  linesOf(program, "connection.open").map(({ client }) => String(client));
const bothUp = (program: Program) => eventually("two workers", () => workersOf(program).length === 2);
const gone = (pids: readonly number[]) => eventually("the end of the workers", () => !pids.some(lives));

/** `ssh archiver sha256sum`, which is fed little by little. */
function upload(s: Scene) {
  const { process: child, ended }: Client = s.start("ssh", ["-F", s.sshConfig, "archiver", "sha256sum"]);
  const source = flow();
  return {
    ended,
    async pour(bytes: number): Promise<void> {
      for (let left = bytes; left > 0 && child.exitCode === null; left -= 250_000) {
        if (child.stdin.write(source.next(250_000))) continue;
        // It may refuse what is written to it before it is known to have ended.
        await Promise.race([once(child.stdin, "drain").catch(() => ended), ended]);
      }
    },
    async digest(): Promise<string> {
      child.stdin.end();
      const { stdout } = await ended;
      return stdout.toString().slice(0, 64);
    },
    sent: () => source.digest(),
  };
}

describe.concurrent("with two workers", () => {
  it(
    "connections of both go through to one machine, and the crash of one costs its own only",
    async () => {
      await using s = await startScene({ server: { workers: "2" } });
      const [one, other] = [upload(s), upload(s)];
      await Promise.all([one.pour(10 * MB), other.pour(10 * MB)]);
      const channels = await eventually("two channels", () => {
        const open = linesOf(s.jump, "channel.open");
        return open.length === 2 && open;
      });
      const [first, second] = channels.map(({ client }) => workerWith(s.jump, String(client)));
      expect([first, second].sort()).toEqual(workersOf(s.jump).sort());
      expect([s.running().length, s.calls("RunInstances")]).toEqual([1, 1]);

      const args = ["-c", s.configFile, "--state-dir", s.stateDir, "--json"];
      const status = JSON.parse((await runProgram(["status", ...args])).stdout);
      const users = status.targets[0].machines[0].leases.map(({ client }: { client: string }) => client);
      expect(users.sort()).toEqual(channels.map(({ client }) => client).sort());

      process.kill(first ?? 0, "SIGKILL");
      const warning = await s.jump.logged("server.warning");
      expect(warning.reason).toBe(
        `a worker (process ${first}) was killed by SIGKILL, and with it 1 connection with 1 channel ended: another one takes its place`,
      );
      const closed = await s.jump.logged("connection.close");
      const lost = linesOf(s.jump, "channel.close");
      expect(lost).toMatchObject([{ client: channels[0]?.client, connection: channels[0]?.connection }]);
      expect(lost[0]?.reason).toBe(`the worker that served it (process ${first}) was killed by SIGKILL`);
      expect(closed).toMatchObject({ channels: 1, user: "jump" });
      // Which of the two it was is not known here; both end, and one of them well.
      await Promise.all([one.pour(40 * MB), other.pour(40 * MB)]);
      const ends = await Promise.all([one.digest(), other.digest()]);
      expect(ends.filter((digest, at) => digest === [one, other][at]?.sent())).toHaveLength(1);
      expect((await Promise.all([one.ended, other.ended])).map(({ code }) => code).sort()).toEqual([0, 255]);
      // The lease of the dead one has been given back with it, or the machine would stay.
      await s.quiet();

      await bothUp(s.jump);
      const session = await s.session();
      const workers = workersOf(s.jump);
      expect(workers).not.toContain(first);
      expect(workerWith(s.jump, clientsOf(s.jump).at(-1) ?? "")).toSatisfy((pid) => workers.includes(pid));
      expect(await s.jump.stop()).toMatchObject({ code: 0 });
      expect(s.running()).toEqual([]);
      await gone(workers);
      expect((await session.ended).code).toBe(255);
      for (const what of ["connection", "channel"])
        expect(linesOf(s.jump, `${what}.close`)).toHaveLength(linesOf(s.jump, `${what}.open`).length);
    },
    TIMEOUT_MS,
  );

  it(
    "people at both do by hand what they may, and see the same",
    async () => {
      await using s = await startScene({ server: { workers: "2" } });
      // Whoever stays at one worker has the next one come to the other.
      const waits = startSsh(["-F", s.sshConfig, "-o", "User=boot+archiver", "-N", "lazyssh"]);
      await eventually("the stages of the boot", () => /starting t4g\.nano[\s\S]*boots/.test(waits.stderr()));
      const command = (...words: string[]) => ssh(["-F", s.sshConfig, "lazyssh", ...words]);
      expect((await command("start", "archiver")).stdout.toString()).toBe(
        "archiver is ready, and is kept until ssh lazyssh stop archiver\n",
      );
      const [id] = s.running().map((machine) => machine.id);
      expect((await command("status")).stdout.toString()).toMatch(new RegExp(`machine +${id} +ready`));
      expect((await command("start", "nothing")).stderr).toMatch(/there is no target "nothing"/);
      await waits.end();
      await s.jump.logged("connection.close", ({ client }) => client === clientsOf(s.jump)[0]);
      expect((await command("stop", "archiver")).stdout.toString()).toBe(
        `archiver: ${id} is being stopped\n`,
      );
      await s.quiet();
    },
    TIMEOUT_MS,
  );
});

describe("two workers", () => {
  it(
    "have limits and penalties together, follow a reload, and end when the first process is killed",
    async () => {
      const j = await jump();
      const limits = "  limits {\n    max_connections = 3\n  }\n";
      const text = (more: string) => j.text({ workers: "2" }).replace(/\n\}\n/, `\n${more}}\n`);
      writeFileSync(j.configFile, text(limits));
      const program = j.start();
      const config = await j.sshConfig(program);

      const clients = Array.from({ length: 7 }, () => startSsh(["-F", config, "-N", "lazyssh"]));
      const tooMany = await eventually("the end of four", () => {
        const ended = clients.filter(({ child }) => child.exitCode !== null);
        return ended.length === 4 && ended;
      });
      for (const { stderr } of tooMany)
        expect(stderr()).toMatch(/this jump host has 3 connections, more are not allowed/);
      const here = clients.filter(({ child }) => child.exitCode === null);
      await here[0]?.end();
      await eventually("room for another", async () => {
        const { code } = await ssh(["-F", config, "-W", `here:${j.target.port}`, "lazyssh"]);
        return code === 0;
      });

      const eve = await j.folder.key("eve");
      const user = `  user "eve" {\n    authorized_keys = [${JSON.stringify(eve.publicLine)}]\n  }\n`;
      writeFileSync(j.configFile, text(user));
      await program.logged("config.reloaded");
      const asEve = await j.sshConfig(program, { User: "eve", IdentityFile: eve.path });
      // Two of the first clients are still there, perhaps both at one worker.
      const channels = await Promise.all([1, 2, 3, 4].map(() => openChannel(asEve, `here:${j.target.port}`)));
      const eves = await eventually("all channels of eve", () => {
        const lines = linesOf(program, "channel.open").filter((line) => line.user === "eve");
        return lines.length === channels.length && lines;
      });
      expect(new Set(eves.map(({ client }) => workerWith(program, String(client)))).size).toBe(2);
      await Promise.all(channels.map(({ end }) => end()));

      // Each breaks the protocol at another worker, and both together are too much.
      const port = Number((await program.logged("listening")).port);
      const knock = async (): Promise<Socket> => {
        const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.7" });
        socket.on("error", () => undefined);
        const [greeting] = (await once(socket, "data")) as [Buffer];
        return greeting.toString().startsWith("SSH-2.0-") ? socket : Promise.reject(new Error(`${greeting}`));
      };
      const strangers = [await knock(), await knock()];
      for (const socket of strangers) socket.write("SSH-2.0-x\r\nnonsense nonsense nonsense\r\n");
      await Promise.all(strangers.map((socket) => once(socket, "close")));
      expect(await program.logged("source.refused")).toMatchObject({ source: "127.0.0.7" });
      await expect(knock()).rejects.toThrow("Not allowed at this time");
      await openChannel(config, `here:${j.target.port}`);

      const workers = workersOf(program);
      expect(workers).toHaveLength(2);
      program.kill("SIGKILL");
      await gone(workers);
      for (const { child } of clients) child.kill();
    },
    TIMEOUT_MS,
  );

  it(
    "serve sockets that were handed over, leave signals to the first process, and can be waited for",
    async () => {
      const j = await jump();
      writeFileSync(j.configFile, j.text({ workers: "2", drain_timeout: '"1m"' }));
      const { fd, port, close } = await listening("127.0.0.1");
      const by = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh"] as const;
      const program = j.start({ by, fds: [fd] });
      close();
      expect(await program.logged("listening")).toMatchObject({ port });
      const config = await j.sshConfig(program);
      const channel = await openChannel(config, `here:${j.target.port}`);

      const workers = workersOf(program);
      for (const signal of ["SIGINT", "SIGHUP", "SIGTERM"] as const)
        for (const pid of workers) process.kill(pid, signal);
      program.kill("SIGTERM");
      expect((await program.logged("server.draining")).channels).toHaveLength(1);
      expect((await ssh(["-F", config, "lazyssh"])).code).toBe(255);
      await channel.goesOn();
      expect(workers.filter(lives)).toEqual(workers);
      await channel.end();
      expect((await program.ended).code).toBe(0);
      await gone(workers);
    },
    TIMEOUT_MS,
  );
});
