import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import {
  describeInstancesXml,
  failureOf,
  instanceXml,
  isolateSdk,
  never,
  order,
  tagsXml,
} from "./fixture.ts";

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const provider = (patch: Partial<AwsEc2Target> = {}) =>
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, ...patch }), { owner: "server-1" });
const madeBy = (clientToken: string, launch?: string) =>
  `<clientToken>${clientToken}</clientToken>${launch === undefined ? "" : tagsXml({ "lazyssh:launch": launch })}`;
const spot = { maxPrice: undefined, fallback: "none" } as const;
const many = {
  instanceTypes: ["t4g.nano", "t4g.small"],
  subnetIds: ["subnet-1", "subnet-2"],
  spot: { maxPrice: "0.01", fallback: "on-demand" },
} as const;

describe("the ways to order", () => {
  test.each<[string, Partial<AwsEc2Target>, string[]]>([
    ["one type", {}, ["t4g.nano"]],
    ["spot alone", { spot }, ["t4g.nano (spot)"]],
    ["spot, and else on demand", { spot: many.spot }, ["t4g.nano (spot)", "t4g.nano"]],
    [
      "a launch template that says all",
      { instanceTypes: [], launchTemplate: { id: "lt-1", name: undefined, version: undefined } },
      ["machine of launch template lt-1"],
    ],
    [
      "markets, then types, then subnets",
      many,
      [
        "t4g.nano (spot) in subnet-1",
        "t4g.nano (spot) in subnet-2",
        "t4g.small (spot) in subnet-1",
        "t4g.small (spot) in subnet-2",
        "t4g.nano in subnet-1",
        "t4g.nano in subnet-2",
        "t4g.small in subnet-1",
        "t4g.small in subnet-2",
      ],
    ],
  ])("%s", (_, patch, texts) => {
    expect(provider(patch).alternatives).toEqual(texts);
  });

  test("are not more than can be found again", () => {
    const names = (prefix: string) => Array.from({ length: 20 }, (_, index) => `${prefix}-${index}`);
    const verbs = provider({ instanceTypes: names("type"), subnetIds: names("subnet") });
    expect(verbs.alternatives).toHaveLength(200);
  });
});

describe("an order", () => {
  beforeEach(() => {
    ec2.on(
      "RunInstances",
      ec2Success("RunInstances", `<instancesSet>${instanceXml("i-1", "pending")}</instancesSet>`),
    );
  });

  test.each([
    [0, "t1", "t4g.nano", "subnet-1", "spot"],
    [1, "t1-1", "t4g.nano", "subnet-2", "spot"],
    [2, "t1-2", "t4g.small", "subnet-1", "spot"],
    [7, "t1-7", "t4g.small", "subnet-2", undefined],
  ])("of alternative %i has a token of its own", async (alternative, token, type, subnet, market) => {
    const machine = await provider(many).create(order("t1", { alternative }), never);
    expect(machine.token).toBe("t1");
    const { params = {} } = ec2.requests[0] ?? {};
    expect(params).toMatchObject({
      ClientToken: token,
      InstanceType: type,
      SubnetId: subnet,
      "TagSpecification.1.Tag.4.Key": "lazyssh:launch",
      "TagSpecification.1.Tag.4.Value": "t1",
    });
    expect(params["InstanceMarketOptions.MarketType"]).toBe(market);
  });

  test("of an alternative that there is not is refused, and nobody is asked", async () => {
    const error = await failureOf(provider().create(order("t1", { alternative: 1 }), never));
    expect(error).toMatchObject({ code: "INTERNAL", retryable: false });
    expect(ec2.requests).toEqual([]);
  });

  test.each([
    ["InsufficientInstanceCapacity", 3, "no t4g.small (spot) in subnet-2 to be had now"],
    ["SpotMaxPriceTooLow", 0, "no t4g.nano (spot) in subnet-1 to be had at 0.01; raise max_price"],
    ["MaxSpotInstanceCountExceeded", 2, "another t4g.small (spot) in subnet-1"],
    ["UnfulfillableCapacity", 1, "no t4g.nano (spot) in subnet-2"],
    ["Unsupported", 6, "no t4g.small in subnet-1"],
    ["InsufficientFreeAddressesInSubnet", 5, "no t4g.nano in subnet-2"],
  ])("that finds no capacity (%s) names what was asked for", async (code, alternative, words) => {
    ec2.on("RunInstances", ec2Failure(code, "in the cloud's words"));
    const error = await failureOf(provider(many).create(order("t1", { alternative }), never));
    expect(error).toMatchObject({ code: "NO_CAPACITY", retryable: false });
    expect(error.message).toContain(words);
  });

  test("into a subnet that does not exist names that one", async () => {
    ec2.on("RunInstances", ec2Failure("InvalidSubnetID.NotFound", "in the cloud's words"));
    const error = await failureOf(provider(many).create(order("t1", { alternative: 1 }), never));
    expect(error.message).toContain("subnet subnet-2 does not exist");
  });
});

describe("what a launch has made", () => {
  test("is sought by the tokens of all alternatives", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", madeBy("t1-2"))]));
    const verbs = provider({ instanceTypes: ["t4g.nano", "t4g.small", "t4g.medium"] });
    expect(await verbs.find("t1", never)).toMatchObject({ id: "i-1", token: "t1" });
    expect(ec2.requests[0]?.params).toEqual({
      "Filter.1.Name": "client-token",
      "Filter.1.Value.1": "t1",
      "Filter.1.Value.2": "t1-1",
      "Filter.1.Value.3": "t1-2",
    });
  });

  test("is known by its tag, too", async () => {
    ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", madeBy("", "t1"))]));
    expect(await provider().find("t1", never)).toMatchObject({ id: "i-1", token: "t1" });
  });

  test("is not the machine of a launch with a similar name", async () => {
    ec2.on(
      "DescribeInstances",
      describeInstancesXml([instanceXml("i-1", "running", madeBy("t1-1", "t1-1"))]),
    );
    expect(await provider(many).find("t1", never)).toBeUndefined();
  });

  test("is what lives rather than what ends or is gone", async () => {
    const [gone, ending, alive] = [
      instanceXml("i-1", "terminated", madeBy("t1", "t1")),
      instanceXml("i-2", "shutting-down", madeBy("t1-1", "t1")),
      instanceXml("i-3", "running", madeBy("t1-2", "t1")),
    ];
    ec2.on(
      "DescribeInstances",
      describeInstancesXml([gone, ending, alive]),
      describeInstancesXml([gone, ending]),
    );
    expect(await provider(many).find("t1", never)).toMatchObject({ id: "i-3" });
    expect(await provider(many).find("t1", never)).toMatchObject({ id: "i-2" });
  });

  test("answers an order whose own machine is gone, when another alternative lives", async () => {
    ec2.on("RunInstances", ec2Failure("IdempotentInstanceTerminated", "has been terminated"));
    const instances = [
      instanceXml("i-1", "running", madeBy("t1", "t1")),
      instanceXml("i-2", "running", madeBy("t1-1", "t1")),
    ];
    ec2.on("DescribeInstances", describeInstancesXml(instances));
    expect(await provider(many).create(order("t1"), never)).toMatchObject({ id: "i-2", phase: "running" });
  });
});
