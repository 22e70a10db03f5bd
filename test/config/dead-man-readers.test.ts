import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { mergeDeadMan } from "../../src/config/dead-man/merge.ts";
import { startScript, watchScript } from "../../src/config/dead-man/script.ts";
import { nixInstantiate } from "../harness/nix.ts";
import { requires } from "../harness/requires.ts";
import { tempDir } from "../harness/temp.ts";
import { run } from "../packaging/programs.ts";

const deadMan = { ms: 1_800_000, ports: [22] };

/** A file with the merged user data, in a folder of its own. */
function written(userData: string): { folder: string; file: string } {
  const result = mergeDeadMan(userData, deadMan);
  const folder = tempDir();
  const file = join(folder, "user-data.nix");
  writeFileSync(file, "text" in result ? result.text : result.problem);
  return { folder, file };
}

describe("a message, to Python's email as cloud-init uses it,", () => {
  const PARTS = `
import email, json, sys
message = email.message_from_string(open(sys.argv[1], "rb").read().decode("utf-8"))
print(json.dumps([[part.get_content_type(), part.get_payload(decode=True).decode("utf-8")]
  for part in message.walk() if not part.is_multipart()]))`;

  requires("python3")("has the switch and the user's own, whatever characters are in it", async () => {
    for (const own of [
      "#cloud-config\nruncmd: [ls]\n",
      "#cloud-config\n\n\n",
      "#cloud-config",
      "#cloud-config\r\na: b\r\n",
      "#cloud-config\n# zażółć gęślą jaźń 👩‍👩‍👧\n\r",
      `#cloud-config\nFrom x\n--lazyssh\n.\n${"x".repeat(2000)}\n`,
    ]) {
      const { file } = written(own);
      const parts: unknown = JSON.parse(await run("python3", ["-c", PARTS, file]));
      expect(parts).toEqual([
        ["text/cloud-boothook", `#!/bin/sh\n${startScript(deadMan)}`],
        ["text/cloud-config", own],
      ]);
    }
  });
});

describe("a Nix expression", () => {
  const itWith = requires("nix-instantiate");
  const evaluate = async (folder: string, expression: string): Promise<unknown> =>
    JSON.parse(await nixInstantiate(folder, "--eval", "--strict", "--json", "--expr", expression));
  const hostKey =
    "SSH_HOST_ED25519_KEY:-----BEGIN OPENSSH PRIVATE KEY-----|b3Bl/+==|-----END\nSSH_HOST_ED25519_KEY_PUB:ssh-ed25519 AAAA me\n";

  itWith("has the user's module and the one that watches", async () => {
    for (const [own, argument] of [
      ["{ pkgs, ... }: { mine = pkgs.x; }\n", "{ pkgs.x = 1; }"],
      ["### https://nixos.org/channels/nixos-unstable nixos\n\n{ mine = 1; } # end", undefined],
      [`${hostKey}{ config, pkgs, ... }@args: { mine = args.pkgs.x; }`, "{ config = 2; pkgs.x = 1; }"],
      [`/*\n${hostKey}*/\n# mine\nlet x = 1; in { mine = x; }\n`, undefined],
      ["args: with args; { mine = x; }", "{ x = 1; }"],
      ["config: { x, ... }: { mine = x; }", "2 { x = 1; }"],
      ["rec { x = 1; mine = x; }", undefined],
      ["import ./module.nix", "{ }"],
    ] as const) {
      const { folder, file } = written(own);
      writeFileSync(join(folder, "module.nix"), "{ }: { mine = 1; }");
      await nixInstantiate(folder, "--parse", file);
      const found = await evaluate(
        folder,
        `let
          modules = (import ${file} { }).imports;
          service = (builtins.elemAt modules 1 { pkgs.curl = "curl"; }).systemd.services.lazyssh-dead-man;
        in { inherit service; inherit ((builtins.elemAt modules 0)${argument ? ` ${argument}` : ""}) mine; }`,
      );
      expect(found).toEqual({
        mine: 1,
        service: {
          wantedBy: ["multi-user.target"],
          path: ["curl"],
          serviceConfig: { Restart: "always" },
          script: `set +e\n${watchScript(deadMan)}`,
        },
      });
    }
  });

  itWith("is added to host keys alone, with what the image is made of", async () => {
    const { folder, file } = written(hostKey);
    const found = await evaluate(
      folder,
      `builtins.elemAt (import ${file} { modulesPath = "/modules"; }).imports 0`,
    );
    expect(found).toBe("/modules/virtualisation/amazon-image.nix");
  });
});
