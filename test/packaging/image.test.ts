import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { requires } from "../harness/requires.ts";
import { ssh, sshFolder } from "../harness/ssh.ts";
import { eventually } from "../harness/world.ts";
import { baseImagePrograms, makeBaseImage } from "./base-image.ts";
import { dockerPrograms, run } from "./programs.ts";

const itWith = requires(...dockerPrograms(), ...baseImagePrograms);
const root = fileURLToPath(new URL("../..", import.meta.url));
const id = randomUUID().slice(0, 8);
const base = `lazyssh-test-base:${id}`;
const image = `lazyssh-test:${id}`;
const label = `lazyssh-test=${id}`;
const work = mkdtempSync(join(tmpdir(), "lazyssh-image-"));

describe("the Docker image", () => {
  afterAll(async () => {
    rmSync(work, { recursive: true, force: true });
    if (dockerPrograms().length > 1) return;
    const containers = await run("docker", ["ps", "--all", "--quiet", "--filter", `label=${label}`]);
    const leftovers = containers.split("\n").filter((line) => line !== "");
    if (leftovers.length > 0) await run("docker", ["rm", "--force", "--volumes", ...leftovers]);
    await run("docker", ["rmi", "--force", image, base]);
  }, 60_000);

  itWith(
    "builds, lets ssh through to a target, and ends cleanly on docker stop",
    async () => {
      const parts = join(work, "base");
      mkdirSync(parts);
      await makeBaseImage(base, parts);
      rmSync(parts, { recursive: true, force: true });
      await run(
        "docker",
        [
          "build",
          "--network=host",
          `--build-arg=BUILD_IMAGE=${base}`,
          `--build-arg=NODE_IMAGE=${base}`,
          "-t",
          image,
          root,
        ],
        { env: { DOCKER_BUILDKIT: "0" }, timeoutMs: 480_000 },
      );

      const withoutConfig = await run("docker", ["run", "--label", label, image]).catch(String);
      expect(withoutConfig).toContain("/config.hcl");

      await using keys = await sshFolder();
      const hostKey = await keys.key("host");
      const user = await keys.key("user");
      const config = join(work, "config.hcl");
      writeFileSync(config, configFor(hostKey.privateKey, user.publicLine));

      const started = ["run", "--detach", "--label", label, "--publish=127.0.0.1::7922"];
      const container = (
        await run("docker", [...started, `--volume=${config}:/config.hcl:ro`, image])
      ).trim();
      const logs = () => run("sh", ["-c", `docker logs ${container} 2>&1`]);
      await eventually(
        "the listening line",
        async () => (await logs()).includes('"msg":"listening"'),
        60_000,
      );
      const [address = ""] = (await run("docker", ["port", container, "7922/tcp"])).split("\n");
      const port = Number(address.split(":").at(-1));

      // The target is the jump host itself: one forward shows login, channel and both directions.
      await keys.known("127.0.0.1", port, hostKey);
      const sshConfig = await keys.config({
        lazyssh: { HostName: "127.0.0.1", Port: port, User: "jump", IdentityFile: user.path },
      });
      const through = await ssh(["-F", sshConfig, "-W", "itself:7922", "lazyssh"], {
        input: "SSH-2.0-x\r\n",
      });
      expect(through.stdout.toString(), through.stderr).toMatch(/^SSH-2\.0-/);

      const inside = (command: string) => run("docker", ["exec", container, "sh", "-c", command]);
      expect((await inside("id -un; cat /proc/1/comm; ls /var/lib/lazyssh")).split("\n")).toEqual(
        expect.arrayContaining(["node", "owner"]),
      );
      const binding = "/app/node_modules/ssh2/lib/protocol/crypto/build/Release/sshcrypto.node";
      await inside(`node -e 'require("${binding}")'`);
      await inside("cd /app/node_modules && test -d pino && test ! -e vitest && test ! -e typescript");

      await run("docker", ["stop", "--time=60", container]);
      const state = ["inspect", "--format={{.State.ExitCode}} {{.State.OOMKilled}}", container];
      expect((await run("docker", state)).trim(), await logs()).toBe("0 false");
    },
    600_000,
  );
});

describe("the Docker build context", () => {
  it("holds what the Dockerfile copies, and nothing else", () => {
    const [first, ...kept] = readFileSync(join(root, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(first).toBe("*");
    const copies = readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^COPY (?!--from)(.*) \S+$/gm);
    const copied = new Set([...copies].flatMap(([, files = ""]) => files.split(" ")));
    expect([...copied].map((file) => `!${file}`).sort()).toEqual(kept.sort());
  });
});

function configFor(hostKey: string, authorizedKey: string): string {
  return `server {
  listen         = "0.0.0.0:7922"
  host_key       = <<EOT
${hostKey.trimEnd()}
EOT
  authorized_key = "${authorizedKey}"
}

target "itself" "forward" {
  to = "127.0.0.1"
}
`;
}
