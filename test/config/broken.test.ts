import { describe, expect, test } from "vitest";
import { at, authorizedKey, ec2, load, places, server } from "./support.ts";

/** The same without an image. */
const target = (body: string) =>
  `target "a" "aws_ec2" {\n  instance_type = "t4g.nano"\n  key_name = "k"\n${body}}\n`;
const TYPE = "Incorrect attribute value type";
const digits = (count: number) => Array.from({ length: count }, (_, n) => n).join(", ");

describe("meaning", () => {
  test.each<[string, string, ...string[]]>([
    ["an unknown argument", ec2("  sharred = true\n"), at(5, 3, "Unsupported argument")],
    ["an unknown block", ec2("  placment {}\n"), at(5, 3, "Unsupported block type")],
    ["a block written as an argument", ec2("  placement = {}\n"), at(5, 3, "Unsupported argument")],
    ["an argument written as a block", ec2("  linger {}\n"), at(5, 3, "Unsupported block type")],
    ["an unknown block at the top", "tarket {}\n", at(1, 1, "Unsupported block type")],
    ["an argument at the top", 'linger = "1s"\n', at(1, 1, "Unsupported argument")],
    [
      "missing arguments",
      'target "a" "aws_ec2" {\n  key_name = "k"\n}\n',
      at(1, 22, "Missing required argument"),
      at(1, 22, "Missing required argument"),
    ],
    [
      "a required argument that is null",
      'target "a" "forward" {\n  to = null\n}\n',
      at(2, 8, "Missing required argument"),
    ],
    ["a missing label", 'target "a" {\n}\n', at(1, 12, "Missing type for target")],
    [
      "a label too many",
      'target "a" "forward" "b" {\n  to = "h"\n}\n',
      at(1, 22, "Extraneous label for target"),
    ],
    ["a label on a plain block", ec2('  placement "x" {}\n'), at(5, 13, "Extraneous label for placement")],
    ["an unknown target type", 'target "a" "aws_ec" {}\n', at(1, 12, "Unsupported target type")],
    ["a type not served here", 'target "a" "virtualbox" {}\n', at(1, 12, "Unsupported target type")],
    [
      "an address used twice",
      'target "a" "forward" {\n  to = "h"\n}\ntarget "a" "forward" {\n  to = "i"\n}\n',
      at(4, 8, "Duplicate target"),
    ],
    [
      "a list for a string",
      'target "a" "forward" {\n  to = ["h"]\n}\n',
      at(2, 8, "Incorrect attribute value type"),
    ],
    [
      "a port in a forward",
      'target "a" "forward" {\n  to = "h:22"\n}\n',
      at(2, 8, "Incorrect attribute value type"),
    ],
    ["a port too large", ec2("  check_port = 65536\n"), at(5, 16, "Incorrect attribute value type")],
    ["a port that is not whole", ec2("  check_port = 22.5\n"), at(5, 16, "Incorrect attribute value type")],
    ["a negative port", ec2("  check_port = -1\n"), at(5, 16, "Incorrect attribute value type")],
    ["a word for a port", ec2('  check_port = "ssh"\n'), at(5, 16, "Incorrect attribute value type")],
    ["a number for a bool", ec2("  shared = 1\n"), at(5, 12, "Incorrect attribute value type")],
    ["a duration without unit", ec2('  linger = "30"\n'), at(5, 12, "Incorrect attribute value type")],
    ["a negative duration", ec2('  linger = "-5s"\n'), at(5, 12, "Incorrect attribute value type")],
    ["a boot timeout of nothing", ec2('  boot_timeout = "0"\n'), at(5, 18, "Incorrect attribute value type")],
    ["a word of no choice", ec2('  ready = "maybe"\n'), at(5, 11, "Incorrect attribute value type")],
    [
      "an endpoint that is no URL",
      ec2('  endpoint = "localhost:1"\n'),
      at(5, 14, "Incorrect attribute value type"),
    ],
    [
      "user data too long",
      ec2(`  user_data = "${"x".repeat(16_385)}"\n`),
      at(5, 15, "Incorrect attribute value type"),
    ],
    ["two placements", ec2("  placement {}\n  placement {}\n"), at(6, 3, "Too many placement blocks")],
    [
      "a volume size beyond 32 bits",
      ec2('  ebs_block_device {\n    device_name = "x"\n    volume_size = 2147483648\n  }\n'),
      at(7, 19, "Incorrect attribute value type"),
    ],
    ["two decimal points", "locals {\n  a = 1.2.3\n}\n", at(2, 7, "Invalid number literal")],
    ["a string for a list", ec2('  security_group_ids = "sg-1"\n'), at(5, 24, TYPE)],
    ["a list in a list", ec2('  security_group_ids = ["sg-1", ["sg-2"]]\n'), at(5, 24, TYPE)],
    ["an empty security group", ec2('  security_group_ids = [""]\n'), at(5, 24, TYPE)],
    ["a list for a map", ec2('  tags = ["a"]\n'), at(5, 10, TYPE)],
    ["a list in a map", ec2("  tags = { a = [] }\n"), at(5, 10, TYPE)],
    ["null for a tag", ec2("  tags = { a = null }\n"), at(5, 10, TYPE)],
    ["a tag of ours", ec2('  tags = { "lazyssh:owner" = "x" }\n'), at(5, 10, TYPE)],
    ["a tag of Amazon's", ec2('  tags = { "AWS:x" = "x" }\n'), at(5, 10, TYPE)],
    ["a tag without a key", ec2('  tags = { "" = "x" }\n'), at(5, 10, TYPE)],
    ["the key of a tag too long", ec2(`  tags = { ${"k".repeat(129)} = "x" }\n`), at(5, 10, TYPE)],
    ["the value of a tag too long", ec2(`  tags = { k = "${"v".repeat(257)}" }\n`), at(5, 10, TYPE)],
    ["too many tags", ec2(`  tags = { for n in [${digits(41)}] : n => n }\n`), at(5, 10, TYPE)],
    ["a word for a bool", ec2('  associate_public_ip_address = "maybe"\n'), at(5, 33, TYPE)],
    ["tokens of no choice", ec2('  metadata_options { http_tokens = "v2" }\n'), at(5, 36, TYPE)],
    [
      "hops beyond the limit",
      ec2("  metadata_options {\n    http_put_response_hop_limit = 65\n  }\n"),
      at(6, 35, TYPE),
    ],
    ["a bool for an endpoint", ec2("  metadata_options { http_endpoint = true }\n"), at(5, 38, TYPE)],
    [
      "metadata options twice",
      ec2("  metadata_options {}\n  metadata_options {}\n"),
      at(6, 3, "Too many metadata_options blocks"),
    ],
    [
      "a throughput of nothing",
      ec2('  ebs_block_device {\n    device_name = "x"\n    throughput = 0\n  }\n'),
      at(7, 18, TYPE),
    ],
    [
      "a throughput of another type",
      ec2(
        '  ebs_block_device {\n    device_name = "x"\n    volume_type = "gp2"\n    throughput = 125\n  }\n',
      ),
      at(8, 18, "Conflicting configuration arguments"),
    ],
    [
      "both image_id and image",
      ec2('  image {\n    owners = ["self"]\n    name = "x"\n  }\n'),
      at(5, 3, "Conflicting configuration arguments"),
    ],
    ["an image of nobody's", target('  image {\n    owners = []\n    name = "x"\n  }\n'), at(5, 14, TYPE)],
    [
      "an account whose zero in front got lost",
      target('  image {\n    owners = [099720109477]\n    name = "x"\n  }\n'),
      at(5, 14, TYPE),
    ],
    [
      "an image without a name or owners",
      target("  image {}\n"),
      at(4, 9, "Missing required argument"),
      at(4, 9, "Missing required argument"),
    ],
    ["an image that is null", target("  image_id = null\n"), at(4, 14, "Missing required argument")],
    [
      "neither type nor key, with an image",
      'target "a" "aws_ec2" {\n  image {\n    owners = ["self"]\n    name = "x"\n  }\n}\n',
      at(1, 22, "Missing required argument"),
      at(1, 22, "Missing required argument"),
    ],
    [
      "a launch template by nothing",
      'target "a" "aws_ec2" {\n  launch_template { version = 1 }\n}\n',
      at(2, 3, "Missing required argument"),
    ],
    [
      "a launch template by both",
      'target "a" "aws_ec2" {\n  launch_template {\n    id = "lt-1"\n    name = "x"\n  }\n}\n',
      at(4, 12, "Conflicting configuration arguments"),
    ],
    [
      "two launch templates",
      'target "a" "aws_ec2" {\n  launch_template { id = "lt-1" }\n  launch_template { id = "lt-2" }\n}\n',
      at(3, 3, "Too many launch_template blocks"),
    ],
    [
      "a launch template that cannot be read",
      'target "a" "aws_ec2" {\n  launch_template = {\n    id = "lt-1"\n  }\n}\n',
      at(1, 22, "Missing required argument"),
      at(1, 22, "Missing required argument"),
      at(1, 22, "Missing required argument"),
      at(2, 3, "Unsupported argument"),
    ],
    ["no instance type", ec2("").replace('"t4g.nano"', "[]"), at(3, 19, TYPE)],
    ["an instance type twice", ec2("").replace('"t4g.nano"', '["a", "b", "a"]'), at(3, 19, TYPE)],
    ["an empty instance type", ec2("").replace('"t4g.nano"', '["a", ""]'), at(3, 19, TYPE)],
    ["an object for a subnet", ec2("  subnet_id = {}\n"), at(5, 15, TYPE)],
    ["a list in a list of subnets", ec2('  subnet_id = [["a"]]\n'), at(5, 15, TYPE)],
    ["no port at all", ec2("  ports = []\n"), at(5, 11, TYPE)],
    ["a port that is none", ec2("  ports = [22, 65558]\n"), at(5, 11, TYPE)],
    ["a port that is no list", ec2("  ports = 22\n"), at(5, 11, TYPE)],
    ["an idle timeout of nothing", ec2('  idle_timeout = "0s"\n'), at(5, 18, TYPE)],
    ["no machine at all", ec2("  shared = false\n  max_machines = 0\n"), at(6, 18, TYPE)],
    ["a negative price", ec2("  hourly_price = -0.1\n"), at(5, 18, TYPE)],
    ["a word for a price", ec2('  hourly_price = "cheap"\n'), at(5, 18, TYPE)],
    ["a stop mode of no choice", ec2('  stop_mode = "sleep"\n'), at(5, 15, TYPE)],
    [
      "a stop mode for machines that nobody comes back to",
      ec2('  shared = false\n  stop_mode = "stop"\n'),
      at(6, 15, "Conflicting configuration arguments"),
    ],
    ["a budget of nothing", ec2("  budget { hours_per_day = 0 }\n"), at(5, 28, TYPE)],
    [
      "a budget beyond the day",
      ec2("  budget { hours_per_day = 24.1 }\n"),
      at(5, 28, "Budget that is never used up"),
    ],
    [
      "a budget beyond the days of all machines",
      ec2("  shared = false\n  max_machines = 2\n  budget { hours_per_day = 49 }\n"),
      at(7, 28, "Budget that is never used up"),
    ],
    ["a budget without hours", ec2("  budget {}\n"), at(5, 10, "Missing required argument")],
    [
      "two budgets",
      ec2("  budget { hours_per_day = 1 }\n  budget { hours_per_day = 2 }\n"),
      at(6, 3, "Too many budget blocks"),
    ],
    [
      "before_stop without commands or a key",
      ec2("  before_stop {}\n"),
      at(5, 15, "Missing required argument"),
      at(5, 15, "Missing required argument"),
    ],
    [
      "before_stop with nothing to run, a public key for a private one, and no time",
      ec2(
        `  before_stop {\n    commands = []\n    private_key = "${authorizedKey}"\n    host_key = "x"\n    timeout = "0"\n    user = ""\n  }\n`,
      ),
      at(6, 16, TYPE),
      at(7, 19, TYPE),
      at(8, 16, TYPE),
      at(9, 15, TYPE),
      at(10, 12, TYPE),
    ],
    ["a spot price of nothing", ec2("  spot { max_price = 0 }\n"), at(5, 22, TYPE)],
    ["a spot price in dollars", ec2('  spot { max_price = "$0.05" }\n'), at(5, 22, TYPE)],
    ["a fallback of no choice", ec2('  spot { fallback = "always" }\n'), at(5, 21, TYPE)],
    [
      "a spot instance that is to be stopped",
      ec2('  stop_mode = "stop"\n  spot {}\n'),
      at(6, 3, "Conflicting configuration arguments"),
    ],
    ["a second server", "server {}\n", at(1, 1, "Duplicate server block")],
    [
      "a function misspelt",
      'target "a" "forward" {\n  to = enf("H")\n}\n',
      at(2, 8, "Call to unknown function"),
    ],
  ])("%s", (_what, text, ...expected) => {
    expect(places(load(server + text)).filter((place) => !place.endsWith("No target"))).toEqual(expected);
  });

  test("no server block", () => {
    expect(places(load('target "a" "forward" {\n  to = "h"\n}\n'))).toEqual(["1:1 Missing server block"]);
  });

  test.each([
    ["listen without port", 'listen = "localhost"', "2:12 Incorrect attribute value type"],
    ["listen with a port too large", 'listen = ":65536"', "2:12 Incorrect attribute value type"],
    [
      "listen with an address that lacks brackets",
      'listen = "::1:22"',
      "2:12 Incorrect attribute value type",
    ],
    ["an empty state_dir", 'state_dir = ""', "2:15 Incorrect attribute value type"],
    ["a group with a space", 'group = "my home"', "2:11 Incorrect attribute value type"],
    ["an empty group", 'group = ""', "2:11 Incorrect attribute value type"],
    ["a group too long", `group = "${"g".repeat(65)}"`, "2:11 Incorrect attribute value type"],
    ["no machines at all", "max_machines = 0", "2:18 Incorrect attribute value type"],
    ["metrics without port", 'metrics = "localhost"', "2:13 Incorrect attribute value type"],
  ])("%s", (_what, line, expected) => {
    expect(places(load(server.replace("server {", `server {\n  ${line}`)))).toContain(expected);
  });

  test("an authorized key that is none, and a host key that is a public key", () => {
    const text = `server {\n  host_key = "${authorizedKey}"\n  authorized_key = "nobody"\n}\n`;
    expect(places(load(text))).toEqual([
      "1:1 No target",
      "2:14 Incorrect attribute value type",
      "3:20 Incorrect attribute value type",
    ]);
  });
});

test("all problems of a file are told in one run, in the order of the file", () => {
  const text = `server {
  listen = "nowhere
  host_key = 'x'
}
target "a" "aws_ec2" {
  image_id =
  linger = "5"
  sharred = true
  attach_volume {
    device_name = "/dev/sdf
  }
}
target "b" "hcloud" {}
locals {
  a = [1,
  b = nope
}
`;
  expect(places(load(text))).toEqual([
    "1:8 Missing required argument",
    "2:20 Invalid multi-line string",
    "3:14 Invalid character",
    "5:22 Missing required argument",
    "5:22 Missing required argument",
    "6:13 Missing expression",
    "7:12 Incorrect attribute value type",
    "8:3 Unsupported argument",
    "9:17 Missing required argument",
    "10:28 Invalid multi-line string",
    "13:12 Unsupported target type",
    "16:5 Missing item separator",
    "16:7 Invalid reference",
  ]);
});

test("bytes that are not UTF-8 are told with their place; a byte order mark is none", async () => {
  const { parseConfig } = await import("../../src/config/index.ts");
  const bad = Buffer.concat([Buffer.from("\ufeffa = 1\nb = é"), Buffer.from([0xff, 0x0a])]);
  const result = parseConfig(bad, { file: "x.hcl", env: {} });
  expect(places(result)).toEqual(["2:6 Invalid character encoding"]);
  expect(result.diagnostics[0]?.range?.start.byte).toBe(15);
  expect(places(load(`\ufefffoo\n`))).toContain("1:1 Argument or block definition required");
});
