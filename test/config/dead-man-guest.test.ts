import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { mergeDeadMan } from "../../src/config/dead-man/merge.ts";
import { startScript, watchScript } from "../../src/config/dead-man/script.ts";
import { requires } from "../harness/requires.ts";
import { echo, tcpTarget } from "../harness/tcp.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";
import { Guest } from "./guest.ts";

/** Of five rounds, on a port that nobody uses. */
const deadMan = { ms: 300_000, ports: [1] };

/** A metadata service that knows this of the tag, to those who bring the token. */
function metadata(guest: Guest, tag: string): void {
  guest.program(
    "curl",
    `case "$*" in
      *-XPUT*ttl-seconds*http://169.254.169.254/latest/api/token) echo secret ;;
      *"token: secret"*/latest/meta-data/tags/instance/lazyssh:expires) ${tag} ;;
      *) exit 22 ;;
    esac`,
  );
}

/** How many rounds a guest with this loop lives for, and whether it powered itself off. */
async function live(shell: string, guest: Guest, ports = deadMan.ports) {
  await guest.run(shell, watchScript({ ...deadMan, ports }));
  return {
    rounds: guest.read("rounds")?.length,
    off: guest.read("off")?.trim(),
    console: guest.read("console"),
  };
}

const unused = {
  rounds: 5,
  off: "-P now",
  console: "lazyssh: unused for 5 min, powering off\n",
};
const kept = { rounds: 9, off: undefined, console: undefined };

/** What is run is for a guest with Linux. */
const onLinux = process.platform === "linux";

describe.runIf(onLinux).each(["sh", "dash", "bash", "busybox"])("a guest with %s", (shell) => {
  const testWith = requires(shell);

  testWith("powers itself off when nobody uses it", async () => {
    const guest = new Guest(tempDir());
    metadata(guest, "exit 22");
    expect(await live(shell, guest)).toEqual(unused);
  });

  testWith("goes on while the tag is in the future", async () => {
    const guest = new Guest(tempDir());
    metadata(guest, "echo 2199-01-01T00:00:00Z");
    expect(await live(shell, guest)).toEqual(kept);
  });

  testWith("powers itself off when the tag is in the past, or no time at all", async () => {
    for (const tag of ["2020-01-01T00:00:00Z", "<html>", ""]) {
      const guest = new Guest(tempDir());
      metadata(guest, `echo '${tag}'`);
      expect(await live(shell, guest)).toEqual(unused);
    }
  });

  testWith("remembers the tag while the metadata service fails", async () => {
    const guest = new Guest(tempDir());
    guest.program("curl", "exit 28");
    const round = guest.moved("[ -e /run/asked ] && exit 22; echo >/run/asked; echo 2199-01-01T00:00:00Z");
    metadata(guest, round);
    expect(await live(shell, guest)).toEqual(kept);
  });

  testWith("goes on while a session is open, without curl too", async () => {
    await using target = await tcpTarget(echo);
    const client = connect(target.port, "127.0.0.1");
    await once(client, "connect");
    const guest = new Guest(tempDir());
    expect(await live(shell, guest, [1, target.port])).toEqual(kept);
    client.destroy();
  });

  testWith("takes neither a listener nor its own connections for sessions", async () => {
    await using target = await tcpTarget(echo);
    const listening = await live(shell, new Guest(tempDir()), [target.port]);
    expect(listening).toEqual(unused);
  });

  testWith("starts the loop as a unit of systemd, which is there after a reboot", async () => {
    const guest = new Guest(tempDir());
    guest.folder("etc/systemd/system");
    guest.folder("run/systemd/system");
    guest.program("systemctl", guest.moved('echo "$@" >>/run/systemctl'));
    expect(await guest.run(shell, startScript(deadMan))).toEqual({ output: "", code: 0 });
    expect(guest.read("run/systemctl")).toBe("daemon-reload\n--no-block start lazyssh-dead-man\n");
    const unit = guest.moved("[Service]\nExecStart=/bin/sh /etc/lazyssh-dead-man\nRestart=always\n");
    expect(guest.read("etc/systemd/system/lazyssh-dead-man.service")).toBe(unit);
    expect(guest.read("etc/systemd/system/multi-user.target.wants/lazyssh-dead-man.service")).toBe(unit);
    expect(guest.read("etc/lazyssh-dead-man")).toBe(guest.moved(watchScript(deadMan)));
  });

  testWith("starts the loop by itself where there is no systemd, or none that obeys", async () => {
    for (const systemd of [false, true]) {
      const guest = new Guest(tempDir());
      if (systemd) guest.folder("run/systemd/system");
      guest.program("systemctl", "exit 1");
      expect(await guest.run(shell, startScript(deadMan))).toEqual({ output: "", code: 0 });
      await eventually("the guest powers itself off", () => guest.read("off") !== undefined);
      expect(guest.read("console")).toBe(unused.console);
    }
  });

  testWith("has one loop however often the script is run", async () => {
    const guest = new Guest(tempDir());
    guest.tool("setsid");
    guest.program("sleep", guest.moved('trap "exit" TERM; echo >>/run/sleeping; while :; do :; done'));
    const read = () => guest.read("run/lazyssh-dead-man.pid");
    await guest.run(shell, startScript(deadMan));
    await eventually("the loop sleeps", () => guest.read("run/sleeping") !== undefined);
    const first = read();
    await guest.run(shell, startScript(deadMan));
    expect(read()).toBe(first);
    process.kill(-Number(first));
  });

  testWith("runs the user's script as it would without, whatever its options", async () => {
    const userData = `#!/bin/sh\nset -eu\necho "\${d-unset} $-" | grep -o unset; echo done; exit 3\n`;
    const result = mergeDeadMan(userData, deadMan);
    const guest = new Guest(tempDir());
    guest.program("sleep", "kill $PPID");
    // As "#!/bin/sh -eu" would: here it is the shell that is named.
    const text = "text" in result ? result.text.replace("\n", "\nset -eu\n") : "";
    const { output, code } = await guest.run(shell, text);
    expect(output).toBe("unset\ndone\n");
    expect(code).toBe(3);
  });
});

test.runIf(onLinux)("a session on an IPv6 address counts", async () => {
  const guest = new Guest(tempDir());
  const line =
    "   0: 00000000000000000000000001000000:0016 00000000000000000000000001000000:D2F0 01 00000000:00000000";
  guest.folder("proc");
  const script = watchScript({ ms: 300_000, ports: [22] }).replace(
    "/proc/net/tcp6",
    guest.moved("/run/tcp6"),
  );
  guest.program("curl", "exit 7");
  await guest.run("sh", `echo '${line}' >/run/tcp6\n${script.replace("/proc/net/tcp ", "")}`);
  expect([guest.read("rounds")?.length, guest.read("off")]).toEqual([9, undefined]);
});
