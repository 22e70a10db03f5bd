import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeDeadMan } from "../../src/config/dead-man/merge.ts";
import { startScript, watchScript } from "../../src/config/dead-man/script.ts";
import { parseMime } from "./mime.ts";
import { at, ec2, load, places, server } from "./support.ts";

const deadMan = { ms: 1_800_000, ports: [22, 2222] };
const script = startScript(deadMan);

function merged(userData: string | undefined): string {
  const result = mergeDeadMan(userData, deadMan);
  if ("problem" in result) throw new Error(result.problem);
  return result.text;
}

describe("user data with a dead man's switch", () => {
  test.each([undefined, "", " \n"])("is a shell script where there was none (%j)", (none) => {
    expect(merged(none)).toBe(`#!/bin/sh\n${script}`);
  });

  test.each([
    "#!/bin/sh",
    "#! /bin/bash -eux",
    "#!/usr/bin/env bash",
    "#!/usr/bin/env -S bash -e",
    "#!/bin/dash\r",
    "#!/bin/ash",
  ])("has it at the top of a script that begins with %j", (first) => {
    expect(merged(`${first}\necho hello\n`)).toBe(`${first}\n${script}echo hello\n`);
    expect(merged(first)).toBe(`${first}\n${script}`);
  });

  test.each([
    ["#!/usr/bin/python3\nprint(1)\n", "text/x-shellscript"],
    ["#!/bin/shfoo\n", "text/x-shellscript"],
    ["#cloud-config\nruncmd: [ls]\n", "text/cloud-config"],
    ["#cloud-config-archive\n- a\n", "text/cloud-config-archive"],
    ["#include\nhttp://a/\n", "text/x-include-url"],
    ["#include-once\nhttp://a/\n", "text/x-include-once-url"],
    ["#cloud-boothook\nls\n", "text/cloud-boothook"],
    ["## template: jinja\n#cloud-config\n", "text/jinja2"],
  ])("is a message of two parts for %j", (text, type) => {
    expect(parseMime(merged(text))).toEqual([
      { type: "text/cloud-boothook", content: `#!/bin/sh\n${script}` },
      { type, content: text },
    ]);
  });

  const message = (boundary: string) =>
    `Content-Type: multipart/mixed;\n boundary=${boundary}\nMIME-Version: 1.0\n\n--==b==\nContent-Type: text/cloud-config\n\n#cloud-config\n--==b==--\n`;

  test.each(["==b==", '"==b=="', "==b==; x=y"])("is one more part of a message (boundary=%s)", (boundary) => {
    expect(parseMime(merged(message(boundary)))).toEqual([
      { type: "text/cloud-config", content: "#cloud-config" },
      { type: "text/cloud-boothook", content: `#!/bin/sh\n${script}` },
    ]);
  });

  test.each([
    [message("==b==").replace("==b==--", "==b=="), 'without the line "--…--" that closes it'],
    ["MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n", "of one part"],
    ['{"ignition": {"version": "3.4.0"}}', "neither a script"],
    ["<powershell>\nls\n</powershell>\n", "neither a script"],
    ["[settings.host-containers.admin]\nenabled = true\n", "neither a script"],
    ["H4sIAAAAAAAAA0vKS+ICAA==", "neither a script"],
    ["packages: [curl]\n", "neither a script"],
    ["# just a note\n", "neither a script"],
  ])("is not possible for %j", (text, problem) => {
    expect(mergeDeadMan(text, deadMan)).toEqual({ problem: expect.stringContaining(problem) });
  });

  test("is left alone where it has been put in by hand", () => {
    const text = '{"ignition": {"contents": "lazyssh:expires"}}';
    expect(merged(text)).toBe(text);
  });

  test("is small", () => {
    expect(Buffer.byteLength(script)).toBeLessThan(1280);
  });

  test("is in the manual, for those who put it in by hand", () => {
    const manual = readFileSync("docs/targets/aws_ec2.md", "utf8");
    expect(manual).toContain(`\`\`\`sh\n${watchScript({ ms: 1_800_000, ports: [22] })}\`\`\``);
  });

  test("holds what was there, unchanged", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: fc.constantFrom("\n", "\r", "-", "lazyssh", "é", "a", ":", " ", "'", "$") }),
    );
    fc.assert(
      fc.property(
        anyText,
        fc.constantFrom("#!/bin/sh", "#!/usr/bin/env perl", "#cloud-config"),
        (text, first) => {
          const userData = `${first}\n${text}`;
          if (first === "#!/bin/sh") expect(merged(userData).replace(script, "")).toBe(userData);
          else expect(parseMime(merged(userData))[1]?.content).toBe(userData);
        },
      ),
    );
    fc.assert(
      fc.property(
        anyText,
        fc.constantFrom("", "### http://x nixos\n", "SSH_HOST_DSA_KEY:-|x\n\n"),
        (text, head) => {
          const expression = `{ pkgs, ... }: { x = "${text}"; }`;
          expect(merged(head + expression)).toContain(expression);
          expect(merged(head + expression)).toContain(head);
        },
      ),
    );
  });
});

describe("dead_man", () => {
  const text = (body: string) => `${server}${ec2(body)}`;
  const armed = '  dead_man = "30m"\n';

  test("watches port 22 and check_port, and is in the user data", () => {
    const { config, diagnostics } = load(
      text(`${armed}  check_port = 2222\n  user_data = "#!/bin/sh\\nls\\n"\n`),
    );
    expect(diagnostics).toEqual([]);
    expect(config?.targets[0]).toMatchObject({
      deadManMs: 1_800_000,
      userData: `#!/bin/sh\n${script}ls\n`,
    });
  });

  test.each<[string, string, ...string[]]>([
    ["too short", '  dead_man = "4m"\n', at(5, 14, "Incorrect attribute value type")],
    [
      "with user data of another kind",
      `${armed}  user_data = "<powershell>"\n`,
      at(5, 14, "User data that nothing can be added to"),
    ],
    [
      "with user data that leaves no room",
      `  user_data = "#!/bin/sh\\n${"x".repeat(15_300)}"\n${armed}`,
      at(6, 14, "Not enough room in the user data"),
    ],
    [
      "with a tag that the metadata cannot have",
      `${armed}  tags = { "cost center" = "1" }\n`,
      at(6, 10, "Tag that the instance metadata cannot have"),
    ],
    [
      "with a tag of a name that the metadata uses",
      `${armed}  tags = { "_index" = "1" }\n`,
      at(6, 10, "Tag that the instance metadata cannot have"),
    ],
    [
      "without metadata",
      `${armed}  metadata_options { http_endpoint = "disabled" }\n`,
      at(5, 14, "The machine cannot see that lazyssh needs it"),
    ],
    [
      "with disks that are to stay",
      `${armed}  stop_mode = "stop"\n`,
      at(5, 14, "The machine may end with its disks"),
    ],
    [
      "with a template that may have user data of its own",
      `${armed}  launch_template { name = "backup" }\n`,
      at(5, 14, "User data of the launch template is not used"),
    ],
    ["with tags that the metadata can have", `${armed}  tags = { "a+b-c=d.e_f:g@h" = "any thing/" }\n`],
    ["without it, with any tag", '  tags = { "cost center" = "1" }\n'],
  ])("%s", (_what, body, ...expected) => {
    expect(places(load(text(body)))).toEqual(expected);
  });

  test("says how many bytes it takes, and shows nothing of the user data", () => {
    const secret = "hunter2-".repeat(1_950);
    const { diagnostics } = load(text(`  user_data = "#!/bin/sh\\n${secret}"\n${armed}`));
    const detail = diagnostics[0]?.detail ?? "";
    expect(detail).toMatch(
      /^EC2 takes at most 16384 bytes of user data\. With what "dead_man" adds, 1\d{3} bytes, these are 16\d{3}\.$/,
    );
    expect(JSON.stringify(diagnostics)).not.toContain("hunter2");
  });
});
