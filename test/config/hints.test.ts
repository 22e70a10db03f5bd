import { describe, expect, test } from "vitest";
import { ec2, load, server } from "./support.ts";

describe("hints", () => {
  const detail = (text: string) =>
    load(server + text)
      .diagnostics.map((one) => one.detail)
      .join("\n");

  test("a misspelt name is answered with the right one", () => {
    expect(detail(ec2("  sharred = true\n"))).toContain('Did you mean "shared"?');
    expect(detail('target "a" "foward" {}\n')).toContain('Did you mean "forward"?');
  });

  test("a type of the older program is answered with what this version serves", () => {
    expect(detail('target "a" "hcloud" {}\n')).toContain("not served by this version");
  });

  test("a missing image is answered with what may stand for it", () => {
    expect(detail('target "a" "aws_ec2" {\n  instance_type = "t4g.nano"\n  key_name = "k"\n}\n')).toContain(
      'The argument "image_id" or a block "image" or a block "launch_template" is required, but no definition was found.',
    );
  });

  test("an item of a list or a map is named", () => {
    expect(detail(ec2("  security_group_ids = [1, {}]\n"))).toContain("Item 2: A string is needed");
    expect(detail(ec2('  tags = { a = "b", c = [] }\n'))).toContain('"c": A string is needed');
    expect(detail(ec2('  tags = { "aws:x" = "y" }\n'))).toContain(
      'Keys that start with "aws:" are reserved.',
    );
  });

  test("what is twice in a list is named", () => {
    expect(detail(ec2('  subnet_id = ["a", "b", "a"]\n'))).toContain("Item 3: It is in the list already.");
    expect(detail(ec2('  before_stop { commands = [["sync"], []] }\n'))).toContain(
      'Item 2: A command is a list such as ["zpool", "export", "tank"]',
    );
  });

  test("a decimal out of range is answered with the range", () => {
    expect(detail(ec2("  hourly_price = -0.1\n"))).toContain(
      "must be between 0 and 1000000 inclusive (this is -0.1)",
    );
    expect(detail(ec2("  budget { hours_per_day = 0 }\n"))).toContain("must be above 0 and at most 24000");
  });

  test("a number out of range is answered with the range", () => {
    expect(detail(ec2("  check_port = 65536\n"))).toContain(
      "must be a whole number, between 0 and 65535 inclusive",
    );
  });
});
