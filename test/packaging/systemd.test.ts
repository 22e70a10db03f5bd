import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect } from "vitest";
import { DEFAULT_JOB } from "../../src/config/index.ts";
import { EXIT_CODES } from "../../src/replicate/outcome.ts";
import { requires } from "../harness/requires.ts";
import { tempDir } from "../harness/temp.ts";
import { run } from "./programs.ts";
import { unitSections } from "./unit-file.ts";

const itWith = requires("systemd-analyze");
const unit = fileURLToPath(new URL("../../examples/lazyssh.service", import.meta.url));

/** The unit as it stands, but for the program: systemd looks whether it is there. */
function installed(): string {
  const file = join(tempDir(), "lazyssh.service");
  const text = readFileSync(unit, "utf8");
  writeFileSync(file, text.replace("ExecStart=/usr/local/bin/lazyssh ", `ExecStart=${process.execPath} `));
  return file;
}

describe("examples/lazyssh.service", () => {
  itWith("is what systemd understands", async () => {
    await run("systemd-analyze", ["verify", "--man=no", installed()]);
  });

  itWith("leaves the service little to do harm with", async () => {
    // The exposure level times ten; a unit without any hardening has 96.
    await run("systemd-analyze", ["security", "--offline=true", "--threshold=20", "--no-pager", installed()]);
  });

  itWith("gives machines time to stop, and what must survive a place", () => {
    const { Service = {} } = unitSections(unit);
    expect(Service).toMatchObject({
      TimeoutStopSec: ["15min"],
      StateDirectory: ["lazyssh"],
      Restart: ["on-failure"],
      RestartPreventExitStatus: ["2"],
    });
  });

  itWith("lets it speak for itself", () => {
    const { Service = {} } = unitSections(unit);
    expect(Service).toMatchObject({
      Type: ["notify"],
      NotifyAccess: ["all"],
      ExecReload: ["/bin/kill -HUP $MAINPID"],
      WatchdogSec: ["2min"],
    });
  });
});

describe("examples/lazyssh.socket", () => {
  itWith("is what systemd understands, and leads to the service", async () => {
    const socket = join(dirname(installed()), "lazyssh.socket");
    copyFileSync(fileURLToPath(new URL("../../examples/lazyssh.socket", import.meta.url)), socket);
    await run("systemd-analyze", ["verify", "--man=no", socket]);
    const { Socket = {} } = unitSections(socket);
    expect(Socket.ListenStream).toEqual(["127.0.0.1:7922", "[::1]:7922"]);
  });
});

describe("examples/lazyssh-replicate@.service", () => {
  const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

  itWith("is what systemd understands, with its timer", async () => {
    const dir = tempDir();
    const text = readFileSync(example("lazyssh-replicate@.service"), "utf8");
    const service = text.replace("ExecStart=/usr/local/bin/lazyssh ", `ExecStart=${process.execPath} `);
    writeFileSync(join(dir, "lazyssh-replicate@.service"), service);
    copyFileSync(example("lazyssh-replicate@.timer"), join(dir, "lazyssh-replicate@.timer"));
    const units = ["service", "timer"].map((kind) => join(dir, `lazyssh-replicate@safe.${kind}`));
    for (const unit of units) symlinkSync(unit.replace("@safe", "@"), unit);
    await run("systemd-analyze", ["verify", "--man=no", ...units]);
  });

  itWith("survives a boot and a first full send, and takes a run that is at work for no failure", () => {
    const { Service = {} } = unitSections(example("lazyssh-replicate@.service"));
    expect(Service).toMatchObject({
      Type: ["oneshot"],
      TimeoutStartSec: ["26h"],
      SuccessExitStatus: [`${EXIT_CODES.running}`],
      StateDirectory: ["lazyssh"],
    });
    expect(DEFAULT_JOB.timeoutMs).toBeLessThan(26 * 3_600_000);
  });
});
