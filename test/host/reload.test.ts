import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HERE, type Jump, jump, openChannel } from "../harness/jump.ts";
import type { LogLine, Program } from "../harness/program.ts";
import { ssh } from "../harness/ssh.ts";

const changes = (line: LogLine) => line.changes as string[];

/** The reload that had this change. */
const reloaded = (program: Program, change: string) =>
  program.logged("config.reloaded", (line) => changes(line).includes(change));

const THERE = HERE.replace("here", "there");

async function running(): Promise<{ j: Jump; program: Program; config: string }> {
  const j = await jump();
  const program = j.start();
  return { j, program, config: await j.sshConfig(program) };
}

describe("SIGHUP", () => {
  it("has other users, host keys and targets for who comes, and cuts nobody off who is there", async () => {
    const { j, program, config } = await running();
    const { port } = j.target;
    const other = await j.folder.key("other");
    const otherHost = await j.folder.key("other-host");
    const there = await openChannel(config, `here:${port}`);
    writeFileSync(
      j.configFile,
      j.text(
        {
          authorized_key: JSON.stringify(other.publicLine),
          host_key: `file(${JSON.stringify(otherHost.path)})`,
        },
        THERE,
      ),
    );
    program.kill("SIGHUP");
    const line = await reloaded(program, "target there was added");
    expect(changes(line)).toEqual([
      "user jump was changed",
      "the host keys were changed",
      "target there was added",
      "target here was removed",
    ]);
    expect(line).toMatchObject({ level: "info", kept: [] });
    await there.goesOn(1024 * 1024);

    const before = await ssh(["-F", config, "-W", `there:${port}`, "lazyssh"]);
    expect(before.stderr).toContain("Host key verification failed");
    const [{ port: listening }] = [await program.logged("listening")];
    await j.folder.known("127.0.0.1", Number(listening), otherHost, "new");
    const withKey = (path: string) => j.sshConfig(program, { IdentityFile: path, HostKeyAlias: "new" });
    const refused = await ssh(["-F", await withKey(j.clientKey.path), "-W", `there:${port}`, "lazyssh"]);
    expect(refused.stderr).toContain("Permission denied");
    const now = await withKey(other.path);
    const let_in = await ssh(["-F", now, "-W", `there:${port}`, "lazyssh"], { input: "hello" });
    expect(let_in.stdout.toString()).toBe("hello");
    const gone = await ssh(["-F", now, "-W", `here:${port}`, "lazyssh"]);
    expect(gone.stderr).toContain('there is no target "here"');

    await there.goesOn(1024 * 1024);
    await there.end();
    expect((await program.stop()).code).toBe(0);
  });

  it("leaves who is not let in any more the channels there are, and opens no others", async () => {
    const { j, program, config } = await running();
    const { port } = j.target;
    const other = await j.folder.key("other");
    const shared = ["-o", `ControlPath=${join(j.folder.path, "mux")}`];
    const first = await openChannel(config, `here:${port}`, ["-o", "ControlMaster=yes", ...shared]);
    const second = await openChannel(config, `here:${port}`, shared);
    await second.end();
    writeFileSync(j.configFile, j.text({ authorized_key: JSON.stringify(other.publicLine) }));
    program.kill("SIGHUP");
    await reloaded(program, "user jump was changed");
    const third = await ssh(["-F", config, ...shared, "-W", `here:${port}`, "lazyssh"]);
    expect(third.code).not.toBe(0);
    const refused = await program.logged("channel.refused");
    expect(refused).toMatchObject({ code: "NOT_PERMITTED", user: "jump" });
    expect(refused.reason).toMatch(/^key SHA256:\S+ is not authorized for user "jump" any more$/);
    await first.goesOn();
    await first.end();
  });

  it("keeps the config there is when the new one is wrong, says why, and takes it when it is mended", async () => {
    const { j, program, config } = await running();
    const text = readFileSync(j.configFile, "utf8");
    // As a whole, as editors do: the file is watched, and half of it would be rejected for another reason.
    writeFileSync(`${j.configFile}~`, text.replace('"forward"', '"foward"'));
    renameSync(`${j.configFile}~`, j.configFile);
    program.kill("SIGHUP");
    const rejected = await program.logged("config.rejected");
    expect(rejected.level).toBe("error");
    const line = text.split("\n").findIndex((each) => each.includes('"forward"')) + 1;
    expect(rejected.problems).toEqual([
      expect.stringMatching(new RegExp(`^${j.configFile} line ${line}: .*foward.*forward`)),
    ]);
    await (await openChannel(config, `here:${j.target.port}`)).end();
    writeFileSync(j.configFile, text + THERE); // no signal is needed
    await reloaded(program, "target there was added");
    await (await openChannel(config, `there:${j.target.port}`)).end();
  });

  it("says what waits for the next start", async () => {
    const { j, program, config } = await running();
    writeFileSync(
      j.configFile,
      j.text({
        listen: '"127.0.0.1:1"',
        group: '"g"',
        metrics: '"127.0.0.1:1"',
        workers: "2",
        max_machines: "3",
      }),
    );
    program.kill("SIGHUP");
    const line = await reloaded(program, "max_machines was changed");
    expect(line).toMatchObject({
      level: "warn",
      changes: ["max_machines was changed"],
      kept: ["listen", "group", "metrics", "workers"],
    });
    await (await openChannel(config, `here:${j.target.port}`)).end();
  });

  it("says that nothing has changed when nothing has", async () => {
    const { program } = await running();
    program.kill("SIGHUP");
    expect(await program.logged("config.reloaded")).toMatchObject({ level: "info", changes: [], kept: [] });
  });
});

describe("a config file that changes", () => {
  it("is read again when it is written, or replaced by another, and only then", async () => {
    const { j, program } = await running();
    const file = j.configFile;
    const text = j.text();
    writeFileSync(file, text); // the same
    writeFileSync(join(j.folder.path, "something-else"), text);
    const third = `${text}${HERE.replace("here", "third")}`;
    const fourth = `${third}${HERE.replace("here", "fourth")}`;
    writeFileSync(file, text + THERE);
    await reloaded(program, "target there was added");
    writeFileSync(`${file}~`, third);
    renameSync(`${file}~`, file);
    await reloaded(program, "target third was added");
    writeFileSync(`${file}~`, fourth);
    renameSync(`${file}~`, file);
    await reloaded(program, "target fourth was added");
    const all = program.log.filter(({ msg }) => msg === "config.reloaded").map(changes);
    expect(all).toEqual([
      ["target there was added"],
      ["target third was added", "target there was removed"],
      ["target fourth was added"],
    ]);
  });

  it("is read again when a link on the way to it leads elsewhere, as Kubernetes and NixOS do it", async () => {
    const j = await jump();
    const dir = join(j.folder.path, "mounted");
    const version = (name: string, text: string) => {
      mkdirSync(join(dir, name), { recursive: true });
      writeFileSync(join(dir, name, "config.hcl"), text);
    };
    version("..1", j.text());
    version("..2", j.text({}, HERE + THERE));
    symlinkSync("..1", join(dir, "..data"));
    symlinkSync(join("..data", "config.hcl"), join(dir, "config.hcl"));
    renameSync(j.configFile, `${j.configFile}-unused`);
    symlinkSync(join(dir, "config.hcl"), j.configFile);
    const program = j.start();
    await program.logged("listening");
    symlinkSync("..2", join(dir, "..new"));
    renameSync(join(dir, "..new"), join(dir, "..data"));
    await reloaded(program, "target there was added");
  });

  it("is read again when a file that it names changes", async () => {
    const { j, program, config } = await running();
    const keys = join(j.folder.path, "keys");
    const other = await j.folder.key("other");
    writeFileSync(keys, `${j.clientKey.publicLine}\n`);
    const user = `user "eve" {\n    authorized_keys_file = "keys"\n  }`;
    writeFileSync(j.configFile, j.text().replace("\n}", `\n  ${user}\n}`));
    await reloaded(program, "user eve was added");
    writeFileSync(keys, `${j.clientKey.publicLine}\n${other.publicLine}\n`);
    await reloaded(program, "user eve was changed");
    const eve = await j.sshConfig(program, { User: "eve", IdentityFile: other.path });
    await (await openChannel(eve, `here:${j.target.port}`)).end();
    await (await openChannel(config, `here:${j.target.port}`)).end();
  });

  it("that is gone is told of, and taken when it is back", async () => {
    const { j, program } = await running();
    renameSync(j.configFile, `${j.configFile}-away`);
    expect(await program.logged("config.rejected")).toMatchObject({
      problems: [expect.stringMatching(/it is gone|There is no file/)],
    });
    writeFileSync(j.configFile, j.text({}, HERE + THERE));
    await reloaded(program, "target there was added");
  });
});
