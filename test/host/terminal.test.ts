import { expect } from "vitest";
import { jump } from "../harness/jump.ts";
import { requires } from "../harness/requires.ts";
import { eventually } from "../harness/world.ts";

/**
 * Runs a program on a terminal of its own, and closes that when told to. Neither input nor output is the terminal: Node aborts at its end
 * when it cannot put back how that was.
 */
const ON_A_TERMINAL = `
import os, pty, sys
err = os.dup(2)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(err, 2)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
sys.stdin.readline()
os.close(terminal)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`;

requires("python3")(
  "a server ends with its terminal, but SIGHUP alone has it read its config again",
  async () => {
    const j = await jump();
    const program = j.start({ by: ["python3", "-c", ON_A_TERMINAL], stdin: "pipe" });
    await program.logged("listening");
    const pid = await eventually("the process id", () => Number(program.stdout()) || undefined);
    process.kill(pid, "SIGHUP");
    await program.logged("config.reloaded");
    program.process.stdin?.write("close\n");
    expect(await program.logged("server.stopping")).toMatchObject({ signal: "SIGHUP" });
    expect((await program.ended).code).toBe(0);
  },
);
