import fc from "fast-check";
import { expect, test } from "vitest";
import { diagnosticsToJson, renderDiagnostics } from "../../src/config/index.ts";
import { mutated } from "./documents.ts";
import { block, told } from "./jobs.ts";
import { authorizedKey, hostKey, load, server } from "./support.ts";

const SECRET = "hunter2-hunter3";
const text = `${server}
target "a" "aws_ec2" {
  image_id = "ami-1"
  user_data = "key=${SECRET}"
}
`;
// The armour is known to everybody, and the beginning is the same in every key of the kind.
const body = hostKey.split("\n").slice(1, -1).join("").slice(60);

function allOutput(config: string, env: Record<string, string> = {}): string {
  const { diagnostics, sources } = load(config, { env });
  return (
    renderDiagnostics(diagnostics, sources, { color: true }) +
    JSON.stringify(diagnosticsToJson(diagnostics, sources))
  );
}

function expectSecret(output: string): void {
  const squeezed = output.replace(/\\n|\s/g, "");
  for (let at = 0; at + 12 <= body.length; at += 1) {
    const run = body.slice(at, at + 12);
    if (!authorizedKey.includes(run)) expect(squeezed.includes(run)).toBe(false);
  }
}

test("no piece of a key gets out of a config that is damaged anywhere", () => {
  fc.assert(
    fc.property(mutated(text), (damaged) => expectSecret(allOutput(damaged))),
    { numRuns: 400 },
  );
});

test("nor of one in a list of keys", () => {
  const inList = (config: string) =>
    config.replace("host_key = <<KEY", "host_keys = [<<KEY").replace("\nKEY\n", "\nKEY\n  ]\n");
  expect(load(inList(server)).config?.server.hostKeys).toHaveLength(1);
  const listed = inList(text);
  fc.assert(
    fc.property(mutated(listed), (damaged) => expectSecret(allOutput(damaged))),
    { numRuns: 400 },
  );
});

test.each<[string, string]>([
  ["the heredoc's opening is missing", text.replace("<<KEY\n", "")],
  ["the heredoc's end is missing", text.replace("\nKEY\n", "\n")],
  ["a quote stands in its place", text.replace("<<KEY\n", '"')],
  ["the armour is missing too", text.replace("<<KEY\n", "").replace(/-----[A-Z ]+-----/g, "")],
  ["the name is misspelt", text.replace("host_key", "hots_key")],
  [
    "it is given for the user's key",
    text.replace("authorized_key", "authorized_kye").replace("host_key", "authorized_key"),
  ],
  [
    "it is given for before_stop, and more is wrong there",
    text.replace(
      "image_id",
      `before_stop {\n    commands = []\n    private_key = <<KEY\n${hostKey}\nKEY x\n  }\n  image_id`,
    ),
  ],
  ["it is given for listen", text.replace("host_key", "listen")],
  ["a template begins within", text.replace(/\n(?=[A-Za-z0-9]{20})/, "\n${")],
  [
    "it comes by way of a local",
    text
      .replace("server {\n  host_key =", "locals {\n  k =")
      .replace("  authorized_key", "}\nserver {\n  listen = local.k\n  authorized_key"),
  ],
])("no piece of the key gets out when %s", (_what, broken) => {
  const output = allOutput(broken);
  expect(output).toContain("Error");
  expectSecret(output);
});

test("the value of an environment variable is in no message", () => {
  const config = `${server}target "a" "aws_ec2" {\n  check_port = env("P")\n  linger = env("P")\n  ready = env("P")\n  placement = env("P")\n}\n`;
  expect(allOutput(config, { P: SECRET })).not.toContain(SECRET);
});

test("a line with a secret is replaced by a note, its place is told", () => {
  const { diagnostics, sources } = load(
    'server {\n  host_key = "hunter2-hunter3"\n  authorized_key = "x"\n}\n',
  );
  const output = renderDiagnostics(diagnostics, sources);
  expect(output).toContain("  on config.hcl line 2, in server:\n   2: (sensitive value)\n\n");
  expect(diagnosticsToJson(diagnostics, sources).diagnostics[1]?.snippet).toMatchObject({
    code: "(sensitive value)",
    highlight_start_offset: 0,
    highlight_end_offset: 0,
  });
});

test("the name of a file or a variable that holds a secret is none", () => {
  const { diagnostics, sources } = load(
    'server {\n  host_key = file("/nowhere/key")\n  authorized_key = "x"\n}\n',
  );
  expect(renderDiagnostics(diagnostics, sources)).toContain('2:   host_key = file("/nowhere/key")\n');
});

test("the name of a variable is told beside a secret, too, unless it may be one that was put in the wrong place", () => {
  const hook = (name: string) =>
    block(
      `  report {\n    on_start {\n      url = "http://h/x"\n      headers = { "X-Team" = env("${name}") }\n    }\n  }`,
    );
  const output = told(hook("EVENTS_KEY"));
  expect(output).toContain("The environment variable EVENTS_KEY is not set. Set it, or give env a default.");
  for (const secret of ["hunter2-hunter3", "AKIAIOSFODNN7EXAMPLE"])
    expect(told(hook(secret))).not.toContain(secret);
});
