import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { EXIT_CODES } from "../../src/replicate/outcome.ts";
import { ALLOW } from "../../src/replicate/zfs/explain.ts";
import { tempDir } from "../harness/temp.ts";
import { run } from "../packaging/programs.ts";
import { runHere } from "./run-here.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/replicate.md"), "utf8");
const commands = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, text = ""]) =>
  text.trim().split("\n"),
);

describe("docs/replicate.md", () => {
  test.each(commands.filter((command) => command.startsWith("lazyssh ")))(
    "%s is understood",
    async (command) => {
      const [, ...words] = command.split(" ");
      const at = words.indexOf("--config");
      const rest = at < 0 ? words : words.toSpliced(at, 2);
      const dir = tempDir();
      const missing = ["--config", join(dir, "none.hcl"), "--state-dir", "/dev/null/none"];
      const { code, stderr } = await runHere([...rest, ...missing]);
      // All of it was read, and then there was no file, or no folder.
      expect([code, stderr]).toEqual([2, expect.stringMatching(/none\.hcl|\/dev\/null/)]);
    },
  );

  test("has commands that a shell understands", async () => {
    expect(commands.length).toBeGreaterThan(10);
    await run("bash", ["-n", "-c", commands.join("\n")]);
  });

  test("has the permissions that a user needs", () => {
    expect(page).toContain(`zfs allow USER ${ALLOW.source} `);
    expect(page).toContain(`zfs allow USER ${ALLOW.target} `);
  });

  test("has every exit code", () => {
    for (const [status, code] of Object.entries(EXIT_CODES))
      expect(page).toContain(`| ${code} | \`${status}\` |`);
  });

  test("has a report that is JSON, and links that lead somewhere", () => {
    const [, report = ""] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
    expect(JSON.parse(report)).toMatchObject({ job: "safe", status: "ok" });
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => !existsSync(join(root, "docs", link)))).toEqual([]);
  });
});
