import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SshSettings } from "../../../src/config/replicate.ts";
import { isSince87, sshArgv } from "../../../src/replicate/ssh/argv.ts";
import { tempDir } from "../../harness/temp.ts";

const plain: SshSettings = {
  program: "ssh",
  config: undefined,
  user: undefined,
  identity: undefined,
  jump: undefined,
  port: undefined,
  options: [],
};

/** What the real `ssh` makes of it. */
function resolved(argv: readonly string[]): Map<string, string> {
  const [program = "", ...args] = argv;
  const text = execFileSync(program, ["-G", ...args]).toString();
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  );
}

describe("sshArgv", () => {
  it("says all that the job says, and ends with the host and one quoted command", () => {
    const argv = sshArgv(
      {
        ...plain,
        program: "/opt/ssh",
        config: "cfg",
        user: "root",
        identity: "key",
        jump: "lazyssh",
        port: 2222,
        options: ["Compression=yes"],
      },
      "archiver",
      { command: ["zfs", "recv", "a b"] },
    );
    expect(argv.slice(0, 11)).toEqual([
      "/opt/ssh",
      "-F",
      "cfg",
      "-i",
      "key",
      "-J",
      "lazyssh",
      "-p",
      "2222",
      "-l",
      "root",
    ]);
    expect(argv.slice(-3)).toEqual(["--", "archiver", "'zfs' 'recv' 'a b'"]);
    expect(argv).toContain("Compression=yes");
  });

  it("overrides what an ssh config says for a person at a terminal", () => {
    const config = join(tempDir(), "config");
    const version = execFileSync("sh", ["-c", "ssh -V 2>&1"]).toString();
    const since87 = isSince87(version);
    writeFileSync(
      config,
      `Host *
  RequestTTY force
  RemoteCommand tmux attach
  PermitLocalCommand yes
  LocalCommand echo hello
  ForwardAgent yes
  ForwardX11 yes
  LocalForward 127.0.0.1:1 127.0.0.1:1
  ControlMaster auto
  ControlPath /nowhere/%C
  ControlPersist 10m
  LogLevel QUIET
  BatchMode no
  ConnectTimeout 5
  ${since87 ? "StdinNull yes\n  ForkAfterAuthentication yes\n  SessionType none" : ""}
`,
    );
    const fixed = ["ControlMaster=no", "ControlPath=none", "LogLevel=ERROR"];
    const argv = sshArgv({ ...plain, config }, "archiver", {
      command: ["true"],
      since87,
      fixed,
      defaults: ["ConnectTimeout=630"],
    });
    const is = resolved(argv);
    const asked = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, is.get(name)]));
    expect(
      asked([
        "batchmode",
        "requesttty",
        "permitlocalcommand",
        "forwardagent",
        "forwardx11",
        "clearallforwardings",
      ]),
    ).toEqual({
      batchmode: "yes",
      requesttty: "false",
      permitlocalcommand: "no",
      forwardagent: "no",
      forwardx11: "no",
      clearallforwardings: "yes",
    });
    expect(asked(["controlmaster", "controlpersist", "loglevel", "connecttimeout"])).toEqual({
      controlmaster: "false",
      controlpersist: "no",
      loglevel: "ERROR",
      connecttimeout: "630",
    });
    expect([undefined, "none"]).toContain(is.get("remotecommand"));
    if (since87) {
      expect(asked(["stdinnull", "forkafterauthentication", "sessiontype"])).toEqual({
        stdinnull: "no",
        forkafterauthentication: "no",
        sessiontype: "default",
      });
    }
  });

  it("leaves the last word on timeouts to the job", () => {
    const options = ["ServerAliveInterval=7", "ConnectTimeout=9"];
    const argv = sshArgv({ ...plain, config: "/dev/null", options }, "h", {
      command: ["true"],
      defaults: ["ConnectTimeout=630"],
    });
    const is = resolved(argv);
    expect([is.get("serveraliveinterval"), is.get("serveralivecountmax"), is.get("connecttimeout")]).toEqual([
      "7",
      "3",
      "9",
    ]);
  });
});

describe("isSince87", () => {
  it.each([
    ["OpenSSH_9.2p1 Debian-2, OpenSSL 3.0", true],
    ["OpenSSH_8.7p1, LibreSSL", true],
    ["OpenSSH_8.6p1, LibreSSL 3.3.6", false],
    ["OpenSSH_10.0p2", true],
    ["OpenSSH_7.9p1", false],
    ["something else", false],
  ])("%s: %s", (version, is) => {
    expect(isSince87(version)).toBe(is);
  });
});
