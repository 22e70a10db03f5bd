import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { takeSystemdEnv } from "../../src/host/index.ts";
import { HERE, jump, openChannel } from "../harness/jump.ts";
import { listening } from "../harness/listener.ts";
import { notifySocket } from "../harness/notify.ts";
import { requires } from "../harness/requires.ts";
import { freePort } from "../harness/tcp.ts";
import { eventually } from "../harness/world.ts";

describe("what systemd has told", () => {
  it("is taken out of the environment", () => {
    const env = {
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "60000000",
      WATCHDOG_PID: "7",
      LISTEN_PID: "7",
      LISTEN_FDS: "2",
      LISTEN_FDNAMES: "a:b",
      HOME: "/",
    };
    expect(takeSystemdEnv(env, 7)).toEqual({
      notifySocket: "/run/systemd/notify",
      watchdogMs: 60_000,
      sockets: [3, 4],
    });
    expect(env).toEqual({ HOME: "/" });
    expect(takeSystemdEnv(env, 7)).toEqual({ notifySocket: undefined, watchdogMs: undefined, sockets: [] });
  });

  it.each([
    ["sockets for another process", { LISTEN_PID: "8", LISTEN_FDS: "1" }, { sockets: [] }],
    ["sockets for nobody", { LISTEN_FDS: "1" }, { sockets: [] }],
    ["a number of sockets that is none", { LISTEN_PID: "7", LISTEN_FDS: "many" }, { sockets: [] }],
    ["no sockets", { LISTEN_PID: "7", LISTEN_FDS: "0" }, { sockets: [] }],
    [
      "a watchdog for another process",
      { WATCHDOG_PID: "8", WATCHDOG_USEC: "1000" },
      { watchdogMs: undefined },
    ],
    ["a watchdog for whoever it is", { WATCHDOG_USEC: "1000" }, { watchdogMs: 1 }],
    ["an empty socket name", { NOTIFY_SOCKET: "" }, { notifySocket: undefined }],
  ])("does not count as anything else: %s", (_, env: Record<string, string | undefined>, expected) => {
    expect(takeSystemdEnv(env, 7)).toMatchObject(expected);
    expect(env).toEqual({});
  });
});

describe("a service manager", () => {
  requires("python3", "systemd-notify")(
    "is told when it is ready, reloads, ends, what it does meanwhile, and that it lives",
    async () => {
      const notify = await notifySocket();
      const j = await jump();
      const program = j.start({ env: { NOTIFY_SOCKET: notify.path, WATCHDOG_USEC: "2000000" } });
      const said = (what: string) =>
        eventually(
          what,
          () => notify.messages.findIndex((message) => message.join(" ").startsWith(what)) + 1 || undefined,
          30_000,
        );
      expect(await said("READY=1 STATUS=0 machines, 0 connections")).toBe(1);
      await said("WATCHDOG=1");
      const channel = await openChannel(await j.sshConfig(program), `here:${j.target.port}`);
      await said("STATUS=0 machines, 1 connection");
      writeFileSync(j.configFile, j.text({}, HERE + HERE.replace("here", "there")));
      const reloading = await said("RELOADING=1 MONOTONIC_USEC=");
      // The watchdog may have its say between the two.
      await eventually("the end of the reload", () =>
        notify.messages.slice(reloading).some(([first]) => first === "READY=1"),
      );
      writeFileSync(j.configFile, "nonsense");
      await said("STATUS=0 machines, 1 connection; the config file is not valid, the one before is in use");
      const { code } = await program.stop();
      expect(code).toBe(0);
      await channel.running.result;
      // Whatever was said was sent before the end.
      const messages = notify.messages.map((message) => message.join(" "));
      const stopping = messages.indexOf("STOPPING=1 EXTEND_TIMEOUT_USEC=60000000");
      expect(stopping).toBeGreaterThan(reloading);
      expect(
        messages.filter((message) => /^(READY|RELOADING|STOPPING)/.test(message)).map((m) => m.split("=")[0]),
      ).toEqual(["READY", "RELOADING", "READY", "RELOADING", "READY", "STOPPING"]);
      expect(messages.filter((message) => message === "WATCHDOG=1").length).toBeGreaterThanOrEqual(2);
      expect(program.log.filter(({ msg }) => msg === "server.warning")).toEqual([]);
    },
    60_000,
  );

  it("that cannot be told is a warning, once, and nothing else", async () => {
    const j = await jump();
    const program = j.start({ env: { NOTIFY_SOCKET: "/nonexistent", PATH: "/nonexistent" } });
    const warning = await program.logged("server.warning");
    expect(warning.reason).toMatch(/systemd-notify/);
    await (await openChannel(await j.sshConfig(program), `here:${j.target.port}`)).end();
    expect((await program.stop()).code).toBe(0);
    expect(program.log.filter(({ msg }) => msg === "server.warning")).toHaveLength(1);
  });
});

/** Gives the process id of the program to it, as systemd does, and says how many sockets there are. */
const given = (count: number, pid = "$$") =>
  ["sh", "-c", `LISTEN_PID=${pid} LISTEN_FDS=${count} exec "$@"`, "sh"] as const;

describe("sockets that are handed over", () => {
  it("are used instead of the configured address", async () => {
    const j = await jump();
    const [first, second] = [await listening("127.0.0.1"), await listening("::1")];
    const program = j.start({ by: given(2), fds: [first.fd, second.fd] });
    for (const { close } of [first, second]) close(); // here, so that nobody else accepts
    expect(await program.logged("listening")).toMatchObject({ host: "127.0.0.1", port: first.port });
    const to = `here:${j.target.port}`;
    await (await openChannel(await j.sshConfig(program), to)).end();
    await j.folder.known("::1", second.port, j.hostKey);
    const other = await j.sshConfig(program, { HostName: "::1", Port: second.port });
    await (await openChannel(other, to)).end();
    expect((await program.stop()).code).toBe(0);
  });

  it("are left alone when they are another's", async () => {
    const j = await jump();
    const { fd, port, close } = await listening("127.0.0.1");
    const program = j.start({ by: given(1, "1"), fds: [fd] });
    close();
    expect((await program.logged("listening")).port).not.toBe(port);
  });

  it.each([
    ["no socket at all", given(1), "EINVAL|EBADF|INVALID_FD|Bad file|ENOTSOCK|ENOTSUP"],
    [
      "a UDP socket",
      ["python3", "-c", python("AF_INET, socket.SOCK_DGRAM", "('127.0.0.1', 0)")] as const,
      "",
    ],
    [
      "a unix socket",
      [
        "python3",
        "-c",
        python("AF_UNIX, socket.SOCK_STREAM", "sys.argv[0] + str(os.getpid())", true),
      ] as const,
      "",
    ],
  ])("that are of no use are told of: %s", async (_, by, why) => {
    const j = await jump();
    const { code, stderr } = await j.start({ by, cwd: j.folder.path }).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(
      new RegExp(`socket that was handed over as file descriptor 3: .*(${why}).*ListenStream=PORT`),
    );
  });

  requires("systemd-socket-activate")(
    "come from systemd-socket-activate with the first connection",
    async () => {
      const j = await jump();
      const port = await freePort();
      const program = j.start({ by: ["systemd-socket-activate", "-l", `127.0.0.1:${port}`] });
      await eventually("the socket", () => program.stderr().includes("Listening on"), 30_000);
      await j.folder.known("127.0.0.1", port, j.hostKey);
      const entry = { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: j.clientKey.path };
      const config = await j.folder.config({ lazyssh: entry });
      await (await openChannel(config, `here:${j.target.port}`)).end();
      expect(await program.logged("listening")).toMatchObject({ host: "127.0.0.1", port });
      expect((await program.stop()).code).toBe(0);
    },
  );
});

/** Makes a socket, has it be descriptor 3, and goes on as the program. */
function python(kind: string, address: string, listens = false): string {
  return `
import os, socket, sys
s = socket.socket(socket.${kind})
s.bind(${address})
${listens ? "s.listen()" : ""}
fd = os.dup(s.fileno()) if s.fileno() == 3 else s.fileno()
os.dup2(fd, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[1], sys.argv[1:])
`;
}
