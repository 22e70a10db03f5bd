import { describe, expect, test } from "vitest";
import { load, server } from "./support.ts";

const family = (address: string, body = "max_machines = 2", type = "aws_ec2") =>
  `${server}target "${address}" "${type}" {\n  image_id = "ami-1"\n  instance_type = "t4g.nano"\n  key_name = "k"\n  ${body}\n}\n`;
const toldOf = (text: string) =>
  load(text).diagnostics.map(({ severity, summary, detail }) => `${severity}: ${summary}: ${detail}`);

describe("an address with wildcards", () => {
  test.each(["*.dev", "dev-?", "*", "a_b-c.*.d"])("%s is that of a family", (address) => {
    expect(toldOf(family(address))).toEqual([]);
    expect(load(family(address)).config?.targets[0]).toMatchObject({ name: address, maxMachines: 2 });
  });

  test.each(["* dev", "*/dev", "dev[0-9]*", "ä*", "*:22", `*${"a".repeat(255)}`])(
    "%s has characters that names of families do not have",
    (address) => {
      expect(toldOf(family(address))).toEqual([
        expect.stringMatching(/^error: Invalid target address: With a wildcard/),
      ]);
    },
  );

  test("may not have a volume, which only one of its machines could have", () => {
    const volume =
      'max_machines = 2\n  attach_volume {\n    device_name = "/dev/sdf"\n    volume_id = "vol-1"\n  }';
    const told = toldOf(family("*.dev", volume)).filter((line) => line.startsWith("error"));
    expect(told).toEqual([expect.stringContaining("Volume of a family")]);
  });

  test("is warned of when nothing limits how many machines it may have", () => {
    expect(toldOf(family("*.dev", ""))).toEqual([expect.stringMatching(/^warning: Family without a limit/)]);
    const limited = family("*.dev", "").replace("server {", "server {\n  max_machines = 5");
    expect(toldOf(limited)).toEqual([]);
  });

  test("may have a budget for more machines than one", () => {
    expect(toldOf(family("*.dev", "max_machines = 2\n  budget {\n    hours_per_day = 40\n  }"))).toEqual([]);
    expect(toldOf(family("*.dev", "max_machines = 2\n  budget {\n    hours_per_day = 50\n  }"))).toEqual([
      expect.stringContaining("Budget that is never used up"),
    ]);
  });

  test("is one of a forward target, too", () => {
    const text = `${server}${'target "*.nas" "forward" {\n  to = "192.0.2.1"\n}\n'}`;
    expect(toldOf(text)).toEqual([]);
  });
});
