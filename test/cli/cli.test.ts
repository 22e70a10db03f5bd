import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { generateKeyPair } from "../../src/dev/host-key.ts";
import { type Ended, runProgram, startProgram } from "../harness/program.ts";
import { tempDir } from "../harness/temp.ts";
import { eventually } from "../harness/world.ts";

const hostKey = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "pkcs1", format: "pem" },
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
}).privateKey;
const authorizedKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDlTYMqG3vWyoBfv8jfcwpJYQyPh8QkbRVFXYp0lTCyq test";

function config(dir: string, { listen = "127.0.0.1:0", more = "" } = {}): string {
  const file = join(dir, "config.hcl");
  const server = `listen = "${listen}"\n  host_key = <<EOF\n${hostKey}EOF\n  authorized_key = "${authorizedKey}"`;
  writeFileSync(file, `server {\n  ${server}\n}\ntarget "home" "forward" {\n  to = "127.0.0.1"\n}\n${more}`);
  return file;
}

const run = (...args: string[]): Promise<Ended> => runProgram(args);

describe("lazyssh check", () => {
  it("ends with 0 and names the targets of a valid file", async () => {
    const file = config(tempDir());
    expect(await run("check", "-c", file)).toMatchObject({
      code: 0,
      stdout: `${file} is valid, 1 target: home\n1 user: jump (1 key)\nno "ports": connections may reach every port of home\n`,
      stderr: "",
    });
  });

  it("names the users, with how many keys and authorities they have", async () => {
    const [one, two] = [generateKeyPair("one").public.trim(), generateKeyPair("two").public.trim()];
    const more = `target "closed" "forward" {\n  to = "127.0.0.1"\n  ports = [22]\n}\n`;
    const file = config(tempDir(), { more });
    const users = `user "alice" { authorized_keys = ["${one}", "${two}"] }\n  user "ci" { trusted_user_ca_keys = ["${two}"] }\n}\ntarget "home"`;
    writeFileSync(file, readFileSync(file, "utf8").replace('}\ntarget "home"', users));
    expect((await run("check", "-c", file)).stdout).toBe(
      `${file} is valid, 2 targets: home, closed\n` +
        "3 users: jump (1 key), alice (2 keys), ci (1 authority)\n" +
        'no "ports": connections may reach every port of home\n',
    );
  });

  it("says of a file of jobs that it has no server, and serve says what the file is for", async () => {
    const file = join(tempDir(), "jobs.hcl");
    writeFileSync(file, 'replicate "safe" {\n  source = "a"\n  target = "b"\n  destination = "c"\n}\n');
    expect(await run("check", "-c", file)).toMatchObject({
      code: 0,
      stdout: `${file} is valid, 1 job: safe; it has no server\n`,
      stderr: "",
    });
    const { code, stderr } = await run("serve", "-c", file);
    expect(code).toBe(2);
    expect(stderr).toContain('it is for "lazyssh replicate"');
  });

  it("tells every problem at once, with place, line and caret, and ends with 2", async () => {
    const file = config(tempDir(), { more: 'target "a" "aws_ec3" {\n}\nbogus = 1\n' });
    const { code, stdout, stderr } = await run("check", "-c", file);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`on ${file} line`);
    expect(stderr).toMatch(/target "a" "aws_ec3" \{\n\s+\^{9}\n/);
    expect(stderr.match(/^Error: /gm)).toHaveLength(2);
    expect(stderr).not.toContain("PRIVATE KEY");
  });

  it("prints the same as JSON on standard output with --json", async () => {
    const valid = await run("check", "--json", "-c", config(tempDir()));
    expect([valid.code, JSON.parse(valid.stdout)]).toMatchObject([
      0,
      { valid: true, error_count: 0, diagnostics: [] },
    ]);
    const file = config(tempDir(), { more: "bogus = 1\n" });
    const invalid = await run("check", "--json", "-c", file);
    const line = hostKey.trimEnd().split("\n").length + 10;
    expect([invalid.code, JSON.parse(invalid.stdout)]).toMatchObject([
      2,
      {
        valid: false,
        error_count: 1,
        diagnostics: [
          {
            severity: "error",
            summary: "Unsupported argument",
            range: { filename: file, start: { line, column: 1, byte: expect.any(Number) } },
          },
        ],
      },
    ]);
  });

  it("does not read for ever what is no config file", async () => {
    const { code, stderr } = await run("check", "-c", "/dev/zero");
    expect(code).toBe(2);
    expect(stderr).toContain("larger than 4 MiB");
  });

  it("says how to name the file when there is none", async () => {
    const { code, stderr } = await runProgram(["check"], { cwd: tempDir() });
    expect(code).toBe(2);
    expect(stderr).toMatch(/no file "config.hcl".*-c FILE/s);
  });
});

describe("lazyssh serve", () => {
  it.each([
    ["-config", (file: string) => ["-config", file]],
    ["-config=", (file: string) => [`-config=${file}`]],
    ["--config", (file: string) => ["--config", file]],
    ["-c", (file: string) => ["-c", file]],
    ["serve -c", (file: string) => ["serve", "-c", file]],
  ])("serves with %s, logs where it listens, and ends with 0 on SIGTERM", async (_, args) => {
    const dir = tempDir();
    await using program = startProgram([...args(config(dir)), "--state-dir", join(dir, "state")]);
    const line = await program.logged("listening");
    expect(line).toMatchObject({ level: "info", host: "127.0.0.1", port: expect.any(Number) });
    expect(line.port).toBeGreaterThan(0);
    expect((await program.stop()).code).toBe(0);
  });

  it("reads config.hcl in the current folder when nothing is said", async () => {
    const dir = tempDir();
    config(dir);
    await using program = startProgram([], { cwd: dir, env: { XDG_STATE_HOME: dir } });
    await program.logged("listening");
  });

  it("ends with 2, and the diagnostics, on an invalid config", async () => {
    const { code, stderr } = await run("-config", config(tempDir(), { more: "bogus = 1\n" }));
    expect(code).toBe(2);
    expect(stderr).toContain("bogus");
  });

  it("says which port is taken, and ends with 2", async () => {
    const blocker = createServer();
    await new Promise<void>((up) => blocker.listen(0, "127.0.0.1", up));
    onTestFinished(() => void blocker.close());
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const dir = tempDir();
    const file = config(dir, { listen: `127.0.0.1:${port}` });
    const { code, stderr } = await run("serve", "-c", file, "--state-dir", join(dir, "state"));
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*has the port`));
  });

  it("says so when the state directory is another server's", async () => {
    const dir = tempDir();
    const args = ["serve", "-c", config(dir), "--state-dir", join(dir, "state")];
    await using first = startProgram(args);
    await first.logged("listening");
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/another lazyssh uses .*--state-dir/);
  });

  it("says so when the state directory cannot be written", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "file"), "");
    const { code, stderr } = await run("serve", "-c", config(dir), "--state-dir", join(dir, "file", "state"));
    expect(code).toBe(2);
    expect(stderr).toContain("cannot use the state directory");
  });

  it("writes pretty lines for people when told to", async () => {
    const dir = tempDir();
    await using program = startProgram(["-c", config(dir), "--state-dir", dir, "--log-format", "pretty"]);
    program.process.stderr?.once("data", () => program.kill("SIGTERM"));
    const { stderr } = await program.ended;
    expect(stderr).toMatch(/INFO.*listening/);
  });
});

describe("usage", () => {
  it.each([
    [["sevre"], /did you mean `serve`/],
    [["serve", "--bogus"], /--bogus/],
    [["check", "--config"], /config/],
    [["serve", "--log-level", "loud"], /loud/],
    [["check", "--var", "nothing"], /NAME=VALUE/],
    [["start"], /TARGET/],
    [["stop", "a", "b"], /[Tt]oo many/],
  ])("%j ends with 2 and says what is wrong", async (args, said) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(said);
  });

  it.each([
    [["--help"]],
    [["serve", "--help"]],
    [["check", "--help"]],
    [["status", "--help"]],
    [["start", "--help"]],
    [["stop", "--help"]],
    [["dev", "--help"]],
    [["demo", "--help"]],
  ])("%j prints what is in the snapshot", async (args) => {
    const { code, stdout } = await run(...args);
    expect(code).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  it("--version prints the version of the package", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect((await run("--version")).stdout.trim()).toBe(manifest.version);
  });
});

describe("lazyssh dev", () => {
  it("says what is wrong with a folder it cannot use, and ends with 2", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "file"), "");
    const { code, stderr } = await run("dev", "--dir", join(dir, "file"));
    expect(code).toBe(2);
    expect(stderr).toContain(join(dir, "file"));
  });

  it("writes what an ssh client needs, a config that checks, and dev.json last; --no-server leaves serving to others", async () => {
    const dir = join(tempDir(), "with space");
    mkdirSync(dir);
    await using world = startProgram(["dev", "--dir", dir, "--no-server"]);
    await eventually("dev.json", () => existsSync(join(dir, "dev.json")));
    const facts = JSON.parse(readFileSync(join(dir, "dev.json"), "utf8"));
    expect(facts).toMatchObject({
      ec2_endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      listen: "localhost:7922",
      config: join(dir, "config.hcl"),
      targets: ["archiver"],
    });
    expect((await run("check", "-c", facts.config)).code).toBe(0);
    expect((await world.stop()).code).toBe(0);
    expect(existsSync(join(dir, "dev.json"))).toBe(false);
  });
});
