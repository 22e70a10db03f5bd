import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { LOGGED, startProgram } from "../harness/program.ts";
import { ssh, sshFolder } from "../harness/ssh.ts";
import { echo, tcpTarget } from "../harness/tcp.ts";

const run = promisify(execFile);

it("people of the config come in with their own keys, whichever host key their client knows", async () => {
  await using folder = await sshFolder();
  await using target = await tcpTarget(echo);
  const [ed25519, rsa] = [await folder.key("host_ed25519"), await folder.key("host_rsa", "rsa", 2048)];
  const [alice, bob, eve] = [await folder.key("alice"), await folder.key("bob"), await folder.key("eve")];
  writeFileSync(join(folder.path, "alice.keys"), `# hers\n${alice.publicLine}\nnope ${eve.publicLine}\n`, {
    mode: 0o600,
  });
  const file = join(folder.path, "config.hcl");
  const text = `server {
  listen = "127.0.0.1:0"
  host_keys = [file("host_ed25519"), file("host_rsa")]
  user "alice" { authorized_keys_file = "alice.keys" }
  user "bob" { authorized_keys = [file("bob.pub")] }
}
target "home" "forward" { to = "127.0.0.1" }
`;
  writeFileSync(file, text);
  await using program = startProgram([
    "serve",
    "-c",
    file,
    "--state-dir",
    join(folder.path, "state"),
    "--log-format",
    "json",
  ]);
  const port = Number((await program.logged("listening")).port);
  await folder.known("127.0.0.1", port, ed25519, "knows-ed25519");
  await folder.known("127.0.0.1", port, rsa, "knows-rsa");
  const entry = (key: { path: string }, HostKeyAlias: string, User: string) => ({
    HostName: "127.0.0.1",
    Port: port,
    User,
    IdentityFile: key.path,
    HostKeyAlias,
  });
  const config = await folder.config({
    alice: entry(alice, "knows-ed25519", "jump"),
    bob: entry(bob, "knows-rsa", "bob"),
    eve: entry(eve, "knows-ed25519", "jump"),
  });
  const through = (who: string) => ssh(["-F", config, "-W", `home:${target.port}`, who], { input: "hello" });
  expect((await through("alice")).stdout.toString()).toBe("hello");
  expect((await through("bob")).stdout.toString()).toBe("hello");
  expect((await through("eve")).stderr).toContain("Permission denied");
  for (const user of ["alice", "bob"]) await program.logged("connection.auth", (line) => line.user === user);
});

it("certificates let in, until a list of ssh-keygen -k revokes them, their keys, or who signed them", async () => {
  await using folder = await sshFolder();
  await using target = await tcpTarget(echo);
  const [host, ca, other] = [await folder.key("host"), await folder.key("ca"), await folder.key("other-ca")];
  const people = ["serial", "id", "sha1", "sha256", "good", "authority"];
  const keygen = (...words: string[]) => run("ssh-keygen", ["-q", ...words], { cwd: folder.path });
  const keys = new Map(
    await Promise.all(people.map(async (name) => [name, await folder.key(name)] as const)),
  );
  for (const [index, name] of people.entries()) {
    const signer = name === "authority" ? "other-ca" : "ca";
    await keygen("-s", signer, "-I", `id of ${name}`, "-n", "ci", "-z", String(index + 1), `${name}.pub`);
  }
  const line = (name: string) => keys.get(name)?.publicLine ?? "";
  const spec = `serial: 1\nid: id of id\nsha1: ${line("sha1")}\nsha256: ${line("sha256")}\nsha1: ${other.publicLine}\n`;
  writeFileSync(join(folder.path, "spec"), spec);
  await keygen("-k", "-f", "revoked", "-s", "ca.pub", "spec");
  const file = join(folder.path, "config.hcl");
  writeFileSync(
    file,
    `server {
  listen = "127.0.0.1:0"
  host_key = file("host")
  revoked_keys_file = "revoked"
  user "ci" { trusted_user_ca_keys = [file("ca.pub"), file("other-ca.pub")] }
}
target "home" "forward" { to = "127.0.0.1" }
`,
  );
  const state = join(folder.path, "state");
  await using program = startProgram(["serve", "-c", file, "--state-dir", state, "--log-format", "json"]);
  const port = Number((await program.logged("listening")).port);
  await folder.known("127.0.0.1", port, host);
  const entries = people.map((name) => [
    name,
    { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: keys.get(name)?.path ?? "" },
  ]);
  const config = await folder.config(Object.fromEntries(entries));
  const through = async (name: string) => {
    const { stdout, stderr } = await ssh(["-F", config, "-W", `home:${target.port}`, name], {
      input: "hello",
    });
    return stdout.toString() || /Permission denied/.exec(stderr)?.[0];
  };
  // First, for where many logins have failed before nobody is let in.
  expect(await through("good")).toBe("hello");
  const others = people.filter((name) => name !== "good");
  expect(await Promise.all(others.map(through))).toEqual(others.map(() => "Permission denied"));
  // Each for what the list has of it, and not because the certificate is unknown.
  const revoked = () =>
    program.log.filter(({ msg, reason }) => msg === "connection.auth" && /revoked/.test(String(reason)));
  await expect.poll(() => revoked().length, LOGGED).toBeGreaterThanOrEqual(people.length - 1);
  expect(ca.type).toBe("ssh-ed25519");
});
