import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { zoneFindings } from "../../../../src/providers/aws-ec2/preflight/zones.ts";
import { targetWith } from "../../../harness/target.ts";

const volume = (zone: string | undefined, id = "vol-1") => ({ id, zone });
const subnet = (zone: string | undefined, id = "subnet-1") => ({ id, zone });
const placed = targetWith({ availabilityZone: "a", subnetIds: ["subnet-1"] });

describe("what does not agree", () => {
  test.each([
    [
      "placement and volume",
      placed,
      [volume("b")],
      [],
      "volume vol-1 is in zone b, the machine in a; set placement",
    ],
    [
      "placement and subnet",
      placed,
      [],
      [subnet("b")],
      "subnet subnet-1 is in zone b, placement says a; take",
    ],
    [
      "volume and subnet",
      targetWith({ subnetIds: ["subnet-1"] }),
      [volume("a")],
      [subnet("b")],
      "volume vol-1 is in zone a, subnet subnet-1 in b; set subnet_id",
    ],
    [
      "two volumes",
      targetWith({ subnetIds: ["subnet-1"] }),
      [volume("a"), volume("b", "vol-2")],
      [],
      "volume vol-1 is in zone a, volume vol-2 in b; no machine can hold both",
    ],
  ])("%s", (_, target, volumes, subnets, words) => {
    expect(zoneFindings(target, volumes, subnets)).toEqual([
      { severity: "error", text: expect.stringContaining(words) },
    ]);
  });
});

test("a volume whose machine may start anywhere is a warning with the zone to set", () => {
  const launchTemplate = { id: "lt-1", name: undefined, version: undefined };
  expect(zoneFindings(targetWith(), [volume("a")], [])).toEqual([
    { severity: "warning", text: expect.stringContaining('availability_zone = "a"') },
  ]);
  expect(zoneFindings(targetWith({ launchTemplate }), [volume("a")], [])).toEqual([]);
});

test("there are findings exactly when two known zones differ", () => {
  const zone = fc.constantFrom("a", "b", undefined);
  fc.assert(
    fc.property(
      zone,
      fc.array(zone, { maxLength: 3 }),
      fc.array(zone, { maxLength: 3 }),
      (placement, of, among) => {
        const target = targetWith({ availabilityZone: placement, subnetIds: ["subnet-1"] });
        const volumes = of.map((one, index) => volume(one, `vol-${index}`));
        const subnets = among.map((one, index) => subnet(one, `subnet-${index}`));
        const found = zoneFindings(target, volumes, subnets);
        const held = new Set([placement, ...of].filter(Boolean));
        // Two subnets may well be in two zones, unless something else is in one.
        const wanted = held.size > 0 && new Set([...held, ...among.filter(Boolean)]).size > 1;
        expect(found.length > 0).toBe(wanted);
      },
    ),
  );
});
