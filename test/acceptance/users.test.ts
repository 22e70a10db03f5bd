import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startProgram } from "../harness/program.ts";
import { ssh, sshFolder } from "../harness/ssh.ts";
import { echo, tcpTarget } from "../harness/tcp.ts";

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
