import { describe, expect, test } from "vitest";
import { load, server, target } from "./support.ts";

const machine = (body: string) => `target "a" "command" {\n  start = ["on"]\n${body}\n}\n`;
const foreground = (body = "") => machine(`  foreground = true\n  to = "192.0.2.7"\n${body}`);
const problems = (text: string) =>
  load(server + text).diagnostics.map(({ severity, detail }) => `${severity}: ${detail}`);

describe("a target of type command", () => {
  test("with the required arguments has the defaults of all others", () => {
    expect(target(foreground())).toMatchObject({
      type: "command",
      name: "a",
      start: ["on"],
      foreground: true,
      stop: undefined,
      status: undefined,
      stoppedExitCodes: [3],
      to: "192.0.2.7",
      addressCommand: undefined,
      portMap: new Map(),
      ports: undefined,
      environment: {},
      workingDirectory: undefined,
      startTimeoutMs: 120_000,
      stopTimeoutMs: 120_000,
      statusTimeoutMs: 10_000,
      lingerMs: 0,
      checkPort: 22,
    });
  });

  test("with all arguments has all their values", () => {
    const given = target(
      machine(`
  stop               = ["off", "now"]
  status             = ["is", "on"]
  stopped_exit_codes = [1, 3]
  address            = ["where"]
  port_map           = { "22" = 10022, "443" = 10443 }
  environment        = { DISK = "backup.img", COUNT = 2 }
  working_directory  = "/var/lib/vm"
  start_timeout      = "1m"
  stop_timeout       = "3m"
  status_timeout     = "2s"
  linger             = "5m"`),
    );
    expect(given).toMatchObject({
      foreground: false,
      stop: ["off", "now"],
      status: ["is", "on"],
      stoppedExitCodes: [1, 3],
      to: undefined,
      addressCommand: ["where"],
      portMap: new Map([
        [22, 10_022],
        [443, 10_443],
      ]),
      // Nothing but what is mapped: the rest is another's.
      ports: [22, 443],
      environment: { DISK: "backup.img", COUNT: "2" },
      workingDirectory: "/var/lib/vm",
      startTimeoutMs: 60_000,
      stopTimeoutMs: 180_000,
      statusTimeoutMs: 2_000,
      lingerMs: 300_000,
    });
  });

  test.each([
    [
      "no program",
      machine('  foreground = true\n  to = "h"').replace('["on"]', "[]"),
      /A command is a list such as/,
    ],
    ["a line of shell", foreground('  stop = "ssh vm poweroff"'), /A list is needed/],
    ["neither stop", machine('  to = "h"\n  status = ["s"]'), /"stop" is required unless foreground = true/],
    ["nor status", machine('  to = "h"\n  stop = ["s"]'), /"status" is required unless foreground = true/],
    ["no address", machine("  foreground = true"), /"to" or "address" is required/],
    ["two addresses", foreground('  address = ["where"]'), /Only one of "to" and "address"/],
    ["a port in the host", machine('  foreground = true\n  to = "h:22"'), /Only a host is needed/],
    [
      "a port map without check_port",
      foreground('  port_map = { "80" = 8080 }'),
      /has no port 22, which is that of "check_port"/,
    ],
    [
      "a port beyond the map",
      foreground('  port_map = { "22" = 10022 }\n  ports = [22, 80]'),
      /Port 80 is not in "port_map"/,
    ],
    [
      "a port that is none",
      foreground('  port_map = { "ssh" = 10022 }'),
      /A port is a number from 1 to 65535/,
    ],
    ["an empty port map", foreground("  port_map = {}"), /Without any port nobody could connect/],
    [
      "0 as that of a stopped one",
      machine('  to = "h"\n  stop = ["s"]\n  status = ["s"]\n  stopped_exit_codes = [0]'),
      /between 1 and 255/,
    ],
    ["a machine that rests", foreground('  stop_mode = "stop"'), /is not for targets of type "command"/],
    [
      "a reserved variable",
      foreground('  environment = { LAZYSSH_TOKEN = "t" }'),
      /begin with that of lazyssh are its own/,
    ],
    [
      "a name with a dash",
      foreground('  environment = { MY-NAME = "t" }'),
      /letters, digits and underscores/,
    ],
  ])("%s is an error", (_name, text, detail) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^error: /);
    expect(found[0]).toMatch(detail);
  });

  test("a status in the foreground is without effect, which is said", () => {
    expect(problems(foreground('  status = ["s"]'))).toEqual([
      'warning: "status" is not run with foreground = true: whether start is still there tells whether the machine runs.',
    ]);
  });

  test("in a group it is each server's own, which is said", () => {
    const grouped = server.replace("server {", 'server {\n  group = "g"');
    const { diagnostics, config } = load(grouped + foreground());
    expect(diagnostics.map(({ severity, summary }) => `${severity}: ${summary}`)).toEqual([
      "warning: Machine of one server",
    ]);
    expect(config?.targets).toHaveLength(1);
  });

  test("values of variables are not shown with what is wrong with them", () => {
    const { diagnostics } = load(server + foreground('  environment = { KEY = "s3cr3t", "1" = "hidden" }'));
    expect(diagnostics).toHaveLength(1);
    expect(JSON.stringify(diagnostics)).not.toMatch(/s3cr3t|hidden/);
  });
});
