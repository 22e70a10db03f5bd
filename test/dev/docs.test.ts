import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTROL_NAMES } from "../../src/dev/ec2/control.ts";
import { ACTION_NAMES } from "../../src/dev/ec2/dispatch.ts";
import { FAULT_KINDS, parseFaultRules } from "../../src/dev/ec2/fault-rules.ts";
import { requires } from "../harness/requires.ts";
import { startWorld, type TestWorld } from "../harness/world.ts";
import { bootMachine } from "./machine.ts";

const page = readFileSync("docs/dev.md", "utf8");

function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , text = ""]) => text);
}

function matches(pattern: RegExp): string[] {
  return [...page.matchAll(pattern)].map(([, found = ""]) => found);
}

describe("docs/dev.md", () => {
  test("has a heading for every control there is, and for no other", () => {
    const headings = matches(/^### (.*)$/gm).flatMap((heading) =>
      [...heading.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
    );
    expect(headings.sort()).toEqual([...CONTROL_NAMES].sort());
  });

  test("has a row for every kind of fault there is, and for no other", () => {
    const table = page.slice(page.indexOf("| kind |"));
    const kinds = [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, kind = ""]) => kind);
    expect(kinds.sort()).toEqual([...FAULT_KINDS].sort());
  });

  test("names every action that is emulated, and no other", () => {
    const [list = ""] = matches(/with these actions: ([^.]*)\./g);
    expect(list.split(/,\s+/).sort()).toEqual([...ACTION_NAMES].sort());
  });

  test("has rules that can be used", () => {
    const rules = blocks("json").map((text) => parseFaultRules(JSON.parse(text)));
    expect(rules.flat().length).toBeGreaterThan(0);
  });
});

describe("its examples", () => {
  let world: TestWorld;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  requires("curl")(
    "do what they say, and use every control",
    async () => {
      const examples = blocks("sh");
      const used = examples.flatMap((text) =>
        [...text.matchAll(/^curl -s(?: -X (\w+))? "\$EC2(\/_dev\/[^"]*)"/gm)].map(
          ([, method = "GET", path = ""]) => `${method} ${path.replace("$ID", "<id>")}`,
        ),
      );
      expect(used.sort()).toEqual([...CONTROL_NAMES].sort());
      for (const example of examples) {
        world.world.faults.clear();
        world.world.setDelays({ bootMs: 100 });
        const { id } = await bootMachine(world, { spot: true });
        const shell = spawn("bash", ["-euc", example], {
          env: { ...process.env, EC2: world.world.endpoint, ID: id },
          stdio: ["ignore", "pipe", "inherit"],
        });
        let output = "";
        shell.stdout.setEncoding("utf8").on("data", (text: string) => {
          output += text;
        });
        await once(shell, "close");
        expect(output).toMatch(/^[{[]/);
        expect(output).not.toContain('"error":');
      }
    },
    60_000,
  );
});
