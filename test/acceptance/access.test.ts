import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { fingerprint } from "../../src/server/public-key.ts";
import { startAgent } from "../harness/agent.ts";
import { signedByKeygen } from "../harness/certificate.ts";
import { type Jump, jump } from "../harness/jump.ts";
import type { Program } from "../harness/program.ts";
import { type KeyFiles, type SshResult, ssh } from "../harness/ssh.ts";
import { softToken, type Token } from "../harness/token.ts";

const run = promisify(execFile);

interface Scene {
  readonly j: Jump;
  readonly program: Program;
  readonly authority: KeyFiles;
  readonly token: Token;
  /** A certificate of the client's key, in a file. */
  certificate(...flags: string[]): Promise<string>;
  /** Has `ssh -W` go there and send `hello`, which comes back. */
  through(options: Readonly<Record<string, string>>, target?: string): Promise<SshResult>;
}

/** The built program with two targets and two users: `alice` has lines with options, `ci` has an authority. */
async function scene(): Promise<Scene> {
  const j = await jump();
  const { path } = j.folder;
  const authority = await j.folder.key("ca");
  const [elsewhere, strict] = [await j.folder.key("elsewhere"), await j.folder.key("strict")];
  const token = softToken("ed25519");
  const { port } = j.target;
  const lines = [
    `from="192.0.2.0/24" ${elsewhere.publicLine}`,
    `permitopen="here:${port}",no-pty ${j.clientKey.publicLine}`,
    `restrict ${strict.publicLine}`,
    token.publicLine,
  ];
  writeFileSync(join(path, "alice.keys"), `${lines.join("\n")}\n`);
  const revoked = join(path, "revoked");
  writeFileSync(join(path, "spec"), "serial: 100-199\n");
  await run("ssh-keygen", ["-q", "-k", "-f", revoked, "-s", `${authority.path}.pub`, join(path, "spec")]);
  writeFileSync(
    j.configFile,
    `server {
  listen            = "127.0.0.1:0"
  host_key          = file("host")
  revoked_keys_file = "revoked"
  user "alice" {
    authorized_keys_file = "alice.keys"
  }
  user "ci" {
    trusted_user_ca_keys = [file("ca.pub")]
    targets              = ["here"]
  }
}
target "here" "forward" {
  to = "127.0.0.1"
}
target "there" "forward" {
  to = "127.0.0.1"
}
`,
  );
  const program = j.start();
  let certificates = 0;
  return {
    j,
    program,
    authority,
    token,
    async certificate(...flags) {
      const file = join(path, `certificate-${certificates++}.pub`);
      const { publicLine } = await signedByKeygen(j.clientKey, authority, flags);
      writeFileSync(file, `${publicLine}\n`);
      return file;
    },
    async through(options, target = "here") {
      const config = await j.sshConfig(program, options);
      return ssh(["-F", config, "-W", `${target}:${port}`, "lazyssh"], { input: "hello" });
    },
  };
}

describe("the built program", () => {
  it("lets in by certificate, names it in every line of the log, and refuses what is revoked or expired", async () => {
    const { j, program, authority, certificate, through } = await scene();
    const good = await certificate("-I", "dana@laptop", "-n", "ci", "-z", "17");
    const result = await through({ User: "ci", CertificateFile: good });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("hello");
    const who = {
      user: "ci",
      key: fingerprint(j.clientKey.blob),
      certificate: "dana@laptop",
      serial: "17",
      authority: fingerprint(authority.blob),
    };
    expect(await program.logged("connection.auth", (line) => line.accepted === true)).toMatchObject({
      ...who,
      login: "ci",
    });
    expect(await program.logged("channel.open")).toMatchObject(who);
    expect(await program.logged("channel.close")).toMatchObject({
      ...who,
      target: "here",
      bytesUp: 5,
      bytesDown: 5,
    });
    expect(await program.logged("connection.close")).toMatchObject({ ...who, channels: 1 });

    const denied = async (flags: readonly string[], reason: string) => {
      const file = await certificate("-I", "dana@laptop", ...flags);
      const { stderr } = await through({ User: "ci", CertificateFile: file });
      expect(stderr).toContain("Permission denied (publickey)");
      await program.logged("connection.auth", (line) => String(line.reason).includes(reason));
    };
    await denied(["-n", "ci", "-z", "150"], `certificate 150 by ${fingerprint(authority.blob)} is revoked`);
    await denied(["-n", "ci", "-V", "20200101:20210101"], "it was valid until 20");
    await denied(["-n", "alice"], 'is for "alice", not for "ci" (trusted_user_ca_keys');
    const elsewhere = await through({ User: "ci", CertificateFile: good }, "there");
    expect(elsewhere.stderr).toContain('"there" is not among the targets that ci may reach: here');
  });

  it("holds keys to their options, and has a key on a token come in when it is touched", async () => {
    const { j, program, token, through } = await scene();
    const { path } = j.folder;
    expect(await through({})).toMatchObject({ code: 0, stderr: "" });
    expect((await through({}, "there")).stderr).toContain(
      `open failed: administratively prohibited: your key may not reach there:${j.target.port}, only here:${j.target.port} (permitopen)`,
    );
    expect((await through({ IdentityFile: join(path, "strict") })).stderr).toContain(
      "open failed: administratively prohibited: your key may not open connections (no-port-forwarding)",
    );
    expect((await through({ IdentityFile: join(path, "elsewhere") })).stderr).toContain("Permission denied");
    await program.logged("connection.auth", (line) =>
      /may not be used from 127\.0\.0\.1 \(.*alice\.keys line 1\)/.test(String(line.reason)),
    );

    let flags = 0;
    await using agent = await startAgent(path, [
      { blob: token.blob, sign: (data) => token.sign(data, { flags }) },
    ]);
    const byToken = { IdentityAgent: agent.path, IdentitiesOnly: "no", IdentityFile: "/dev/null" };
    expect((await through(byToken)).stderr).toContain("Permission denied");
    await program.logged("connection.auth", (line) => /was not touched/.test(String(line.reason)));
    flags = 1;
    expect(await through(byToken, "there")).toMatchObject({ code: 0, stderr: "" });
  });
});
