import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Command, type Machine, type SshClient, sshClients } from "../harness/clients.ts";
import { type JumpHost, KEY_TYPES, type KeyType, startJumpHost } from "../harness/jump-host.ts";
import { requires } from "../harness/requires.ts";
import { type KeyFiles, type SshResult, startSsh } from "../harness/ssh.ts";
import { type SshTarget, sshTarget } from "../harness/ssh-target.ts";
import { tcpTarget } from "../harness/tcp.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Clients that start beside many others take their time. */
const DEADLINE_MS = 60_000;

const runs = ({ program, args, home }: Command, input = ""): Promise<SshResult> =>
  startSsh(args, { program, home, input, deadlineMs: DEADLINE_MS }).result;

/** 20 MB there and back, at the same time. */
async function echoes(client: SshClient, jump: JumpHost): Promise<void> {
  const arrived: Buffer[] = [];
  await using target = await tcpTarget((socket) => {
    socket.on("data", (chunk: Buffer) => arrived.push(chunk));
    socket.pipe(socket);
  });
  const sent = randomBytes(20_000_000);
  const { program, args, home } = await client.pipe(jump, "archiver", target.port);
  const running = startSsh(args, { program, home, deadlineMs: DEADLINE_MS });
  running.child.stdin?.write(sent);
  let got = 0;
  running.child.stdout?.on("data", (chunk: Buffer) => {
    got += chunk.length;
    // Some clients end at the end of their input, whatever is still to come.
    if (got === sent.length) running.child.stdin?.end();
  });
  const { stdout, stderr } = await running.result;
  expect([sha256(Buffer.concat(arrived)), sha256(stdout)], stderr).toEqual([sha256(sent), sha256(sent)]);
}

describe.each(KEY_TYPES)("with keys of type %s, the host's and the client's", (type) => {
  let jump: JumpHost;
  let behind: SshTarget;
  let machine: Machine;
  beforeAll(async () => {
    jump = await startJumpHost({ hostKeyType: type, clientKeyType: type });
    const hostKey = await jump.folder.key("machine");
    const userKey = await jump.folder.key("user");
    behind = await sshTarget(hostKey, userKey);
    machine = { hostKey, userKey, port: behind.port };
    await jump.folder.known("archiver", machine.port, hostKey);
  }, 60_000);
  afterAll(async () => {
    await behind[Symbol.asyncDispose]();
    await jump[Symbol.asyncDispose]();
  });

  describe.each(sshClients)("$name", (client) => {
    const itWith = requires(...client.needs);

    itWith("has 20 MB go both ways", () => echoes(client, jump), 2 * DEADLINE_MS);

    itWith(
      "logs in to a machine behind",
      async () => {
        const result = await runs(await client.run(jump, machine, "uname -a"));
        expect(result.stdout.toString(), result.stderr).toBe("uname -a\n");
      },
      DEADLINE_MS,
    );

    itWith(
      "shows why a target is refused",
      async () => {
        const result = await runs(await client.pipe(jump, "archivr", 22));
        const reason = 'there is no target "archivr": did you mean "archiver"? targets are: archiver';
        expect(result.stderr).toBe(client.refusal(reason).replace("PORT", String(jump.port)));
        expect(result.stdout.toString()).toBe("");
      },
      DEADLINE_MS,
    );
  });
});

describe("with a certificate, of a user who is known by the authority alone", () => {
  let jump: JumpHost;
  const members = new Map<KeyType, KeyFiles>();
  beforeAll(async () => {
    jump = await startJumpHost({
      server: 'user "ci" {\n    trusted_user_ca_keys = [file("ca.pub")]\n  }',
      prepare: (folder) => folder.key("ca"),
    });
    for (const [serial, type] of KEY_TYPES.entries()) {
      const key = await jump.folder.key(`member-${type}`, type);
      const what = ["-I", `member-${type}`, "-n", "ci", "-z", String(serial), "-V", "-1h:+1h"];
      await promisify(execFile)("ssh-keygen", [
        "-q",
        "-s",
        `${jump.folder.path}/ca`,
        ...what,
        `${key.path}.pub`,
      ]);
      members.set(type, key);
    }
  }, 60_000);
  afterAll(async () => {
    await jump[Symbol.asyncDispose]();
  });

  describe.each(sshClients.filter(({ certificates }) => certificates.length > 0))("$name", (client) => {
    const itWith = requires(...client.needs);
    for (const type of client.certificates) {
      itWith(
        `has 20 MB go both ways, with a key of type ${type}`,
        async () => {
          const clientKey = members.get(type);
          if (!clientKey) throw new Error("no key");
          await echoes(client, { ...jump, clientKey });
          const login = {
            user: "ci",
            certificate: `member-${type}`,
            serial: String(KEY_TYPES.indexOf(type)),
          };
          const auth = jump.program.log.findLast(
            ({ msg, accepted }) => msg === "connection.auth" && accepted,
          );
          expect(auth).toMatchObject(login);
        },
        2 * DEADLINE_MS,
      );
    }
  });
});

describe("with keys that are exchanged anew after each MiB", () => {
  let jump: JumpHost;
  beforeAll(async () => {
    jump = await startJumpHost({ server: 'limits {\n    rekey_bytes = "1MiB"\n  }' });
  }, 60_000);
  afterAll(() => jump[Symbol.asyncDispose]());

  describe.each(sshClients)("$name", (client) => {
    const itWith = requires(...client.needs);
    itWith("has 20 MB go both ways", () => echoes(client, jump), 2 * DEADLINE_MS);
  });

  test("as OpenSSH counts them", async () => {
    await using target = await tcpTarget((socket) => socket.end(randomBytes(20_000_000)));
    const [client] = sshClients;
    if (!client) throw new Error("there is no client");
    const { args, ...command } = await client.pipe(jump, "archiver", target.port);
    const { stderr } = await runs({ ...command, args: ["-v", ...args] });
    // What is under way goes with the old keys.
    expect(stderr.match(/SSH2_MSG_NEWKEYS received/g)?.length).toBeGreaterThan(5);
  });
});
