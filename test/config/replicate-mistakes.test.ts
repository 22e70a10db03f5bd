import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diagnosticsToJson, renderDiagnostics } from "../../src/config/index.ts";
import { mutated } from "./documents.ts";
import { block, readJobs, told } from "./jobs.ts";

const hook = (body: string) => `report {\n  on_start {\n${body}\n  }\n}`;

describe("mistakes", () => {
  test.each<[string, string]>([
    ['directoin = "pull"', 'Did you mean "direction"?'],
    ['direction = "sideways"', 'It must be one of "push", "pull".'],
    ['exclude = ["rpool/other"]\nrecursive = true', 'Names are written in full, such as "rpool/safe/cache".'],
    ['exclude = ["cache"]\nrecursive = true', 'Names are written in full, such as "rpool/safe/cache".'],
    ['exclude = ["rpool/safe"]\nrecursive = true', "so that nothing would be sent"],
    ['exclude = ["rpool/*"]\nrecursive = true', "so that nothing would be sent"],
    ['exclude = ["rpool/safe/[ab]"]\nrecursive = true', 'Item 1: Between "/", the name of a dataset has'],
    ['exclude = ["rpool/safe/a"]', 'Without "recursive = true"'],
    ["before = []", "A command is a list such as"],
    ['after = [""]', "A command is a list such as"],
    ['after = ["a", "\\u0000"]', "\\u0000"],
    ['after = "zpool export backup"', "A list is needed"],
    ['zfs = ""', "The name of a program must not be empty."],
    ['remote_zfs = "-x"', 'must not begin with "-"'],
    ['timeout = "0s"', "It must be longer than nothing."],
    ['timeout = "30"', 'The unit is missing: "30s" are seconds'],
    ['scrub_every = "1y"', "(units: ms, s, m, h, d, w)"],
    ['max_age = "-1h"', "A duration must not be negative."],
    ["snapshots { include = [] }", "Without any pattern no snapshot would be sent"],
    ['snapshots { include = ["rpool/safe@daily*"] }', 'leave out the dataset and the "@"'],
    ['snapshots { exclude = ["[ab]*"] }', '"*" stands for any characters, "?" for one.'],
    ["snapshots {}\n  snapshots {}", 'Only one "snapshots" block is allowed'],
    ['snapshots "x" {}', 'A "snapshots" block has no labels.'],
    ['ssh { user = "-oProxyCommand=x" }', "ssh would take it for an option"],
    ['ssh { user = "$(id)" }', "signs of a shell"],
    ['ssh { jump = "a,-oProxyCommand=x" }', "ssh would take it for an option"],
    ['ssh { jump = "root@-x" }', "ssh would take it for an option"],
    ['ssh { jump = "" }', "The name of a host must not be empty."],
    ["ssh { port = 0 }", "between 1 and 65535"],
    ['ssh { options = ["-v"] }', 'as after "-o" of ssh'],
    ['ssh { options = ["LocalCommand=a\\nb"] }', 'as after "-o" of ssh'],
    ['ssh { options = ["Compression"] }', 'as after "-o" of ssh'],
    ['ssh { identity = "" }', "A path must not be empty."],
    ['send { compress = "gzip" }', 'It must be one of "auto", "zstd", "lz4", "none".'],
    ['send { rate_limit = "0" }', 'between "1KiB" and "1024GiB" a second'],
    ['send { rate_limit = "fast" }', 'A size such as "20MiB" is needed'],
    ['send { rate_limti = "1MiB" }', 'Did you mean "rate_limit"?'],
    ["keep {}", "every snapshot of this job but the last common one would be destroyed"],
    ["keep {\n last = 0\n daily = 0\n }", "Nothing would be kept"],
    ["keep { daily = -1 }", "between 0 and 100000"],
    ["keep { dayly = 1 }", 'Did you mean "daily"?'],
    ["keep = {}", 'Did you mean to define a block of type "keep"?'],
    ["report {\n  on_sucess {}\n}", 'Did you mean "on_success"?'],
    [hook(""), 'One of "url" and "command" is needed.'],
    [hook('url = "http://a/"\ncommand = ["b"]'), 'Only one of "url" and "command"'],
    [hook('command = ["b"]\nmethod = "GET"'), '"method" is for a "url"'],
    [hook('command = ["b"]\nheaders = { a = "b" }'), '"headers" is for a "url", and here is a "command".'],
    [hook('url = "ftp://a/"'), "A URL with http:// or https:// is needed"],
    [hook('url = "ping.example/start"'), "A URL with http:// or https:// is needed"],
    [hook('url = "https://dana:pw@a/"'), "give an Authorization header"],
    [hook('url = "http://a/"\nmethod = "post"'), 'It must be one of "POST", "PUT", "GET", "HEAD".'],
    [hook('url = "http://a/"\nheaders = { "X Y" = "a" }'), "The name of a header has"],
    [hook('url = "http://a/"\nheaders = { X = "a\\n" }'), "trimspace(file(…))"],
    [hook('url = "http://a/"\nheaders = { Host = "a" }'), "cannot be set"],
    [hook('url = "http://a/"\nheaders = { X = "a", x = "b" }'), "in it twice"],
  ])("%s", (body, expected) => {
    expect(told(block(body))).toContain(expected);
  });

  test.each<[string, string]>([
    ["", "It must not be empty."],
    ["/tank/home", 'has no "/" at its beginning'],
    ["tank/home/", 'has no "/" at its end'],
    ["tank//home", 'nothing between two "/"'],
    ["tank/home@now", "not a snapshot"],
    ["tank/home#now", "not a bookmark"],
    ["1tank", "The name of a pool begins with a letter."],
    ["tank/..", 'is neither "." nor ".."'],
    ["tank/hé", "letters, digits"],
    ["tank/*", "letters, digits"],
    [`t/${"x".repeat(254)}`, "at most 255 characters"],
  ])("dataset %j", (name, expected) => {
    expect(told(block("").replace("rpool/safe", name))).toContain(expected);
    expect(told(block("").replace("backup/safe", name))).toContain(expected);
  });

  test.each<[string, string]>([
    ["-oProxyCommand=touch x", "ssh would take it for an option"],
    ["root@-x", "ssh would take it for an option"],
    ["", "The name of a host must not be empty."],
    ["a b", "A host of the ssh config"],
    ["$(id)", "A host of the ssh config"],
  ])("target %j", (name, expected) => {
    expect(told(block("").replace("archiver", name))).toContain(expected);
  });

  test.each<[string, string]>([
    ["", "The name of a job has 1 to 64"],
    ["-x", "begins with a letter"],
    ["..", "begins with a letter"],
    ["a/b", "The name of a job has 1 to 64"],
    ["x".repeat(65), "The name of a job has 1 to 64"],
    ["check", '"lazyssh replicate check" is a command'],
  ])("job %j", (name, expected) => {
    expect(told(block("", name))).toContain(expected);
  });

  test("a job without its arguments or its name", () => {
    const shown = told('replicate "a" {}\nreplicate {}\n');
    for (const name of ["source", "target", "destination"])
      expect(shown).toContain(`The argument "${name}" is required`);
    expect(shown).toContain('A "replicate" block has 1 labels (name).');
  });

  test("two jobs of one name, and too many", () => {
    expect(told(block("") + block(""))).toContain('There is a job with the name "safe" already.');
    const many = Array.from({ length: 1001 }, (_, n) => block("", `job${n}`)).join("");
    expect(told(many)).toContain("A file has at most 1000 replicate blocks.");
  });

  test("a mistake is shown with its place and the name of the job", () => {
    expect(told(block('  ssh { user = "-x" }'))).toBe(`Error: Incorrect attribute value type

  on /etc/lazyssh/jobs.hcl line 5, in replicate "safe":
   5:   ssh { user = "-x" }
                     ^^^^

Inappropriate value for "user". It must not begin with "-": ssh would take it for an option.
`);
  });
});

describe("secrets", () => {
  const SECRET = "hunter2-hunter3";
  const secretive = block(`  report {
    on_failure {
      url     = "https://ping.example/${SECRET}"
      headers = { "X-Team" = "${SECRET}" }
    }
  }`);
  const output = (text: string, env: Record<string, string> = {}) => {
    const { diagnostics, sources } = readJobs(text, env);
    return (
      renderDiagnostics(diagnostics, sources, { color: true }) +
      JSON.stringify(diagnosticsToJson(diagnostics, sources))
    );
  };

  test.each<[string, string]>([
    ["a URL that is none", secretive.replace("https:", "htps:")],
    ["a header that is none", secretive.replace('"X-Team"', '"X Team"')],
    ["a line break in a header", secretive.replace(`${SECRET}" }`, `${SECRET}\\n" }`)],
    ["a command beside it", secretive.replace("headers", 'command = ["x"]\nheaders')],
    ["it is commented out", secretive.replace("on_failure {\n", "on_failure { # ").replace(/headers.*/, "")],
    ["a list", secretive.replace(/headers = .*/, `headers = ["${SECRET}"]`)],
    ["a misspelt name", secretive.replace("headers", "haeders").replace("url ", "ulr ")],
    ["a wrong method", secretive.replace("headers", 'method = "x"\nheaders')],
    [
      "a local",
      `locals {\n  k = "${SECRET}\\n"\n}\n${secretive.replace(/headers = .*/, "headers = { a = local.k }")}`,
    ],
  ])("%s", (_what, text) => {
    const shown = output(text);
    expect(shown).toContain("Error");
    expect(shown).not.toContain(SECRET);
  });

  test("not even of a file that is damaged anywhere", () => {
    fc.assert(
      fc.property(mutated(secretive), (damaged) => {
        // Where the name of the argument is gone from its line there is nothing to tell it by.
        fc.pre(!damaged.split("\n").some((line) => line.includes(SECRET) && !/url|headers/.test(line)));
        expect(output(damaged)).not.toContain(SECRET);
      }),
      { numRuns: 300 },
    );
  });

  test("nor the value of an environment variable", () => {
    const text = secretive.replace(/headers = .*/, 'headers = { a = "${env("K")}\\n" }');
    const shown = output(text, { K: SECRET });
    expect(shown).toContain("Error");
    expect(shown).not.toContain(SECRET);
  });
});
