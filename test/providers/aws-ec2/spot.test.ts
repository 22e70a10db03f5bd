import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import {
  type Ec2Answer,
  ec2Failure,
  ec2Success,
  type ScriptedEc2,
  startScriptedEc2,
} from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { describeInstancesXml, instanceXml, isolateSdk, never, order, tagsXml } from "./fixture.ts";

const lifecycle = "<instanceLifecycle>spot</instanceLifecycle>";
const owned = tagsXml({ "lazyssh:owner": "server-1" });

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
  ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", lifecycle + owned)]));
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const provider = (patch: Partial<AwsEc2Target> = {}) =>
  createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint, ...patch }), { owner: "server-1" });
const requestOf = (instance: string, code: string): string =>
  ec2Success(
    "DescribeSpotInstanceRequests",
    `<spotInstanceRequestSet><item><spotInstanceRequestId>sir-1</spotInstanceRequestId><instanceId>${instance}</instanceId>
    <status><code>${code}</code><message>in the cloud's words</message></status></item></spotInstanceRequestSet>`,
  );
const actions = () => ec2.requests.map(({ action }) => action);

describe("a spot machine that EC2 takes back", () => {
  test.each([
    ["marked-for-termination", "within two minutes"],
    ["marked-for-stop", "stops the spot machine"],
    ["instance-terminated-by-price", "over max_price"],
    ["instance-terminated-no-capacity", "for others"],
    ["instance-terminated-capacity-oversubscribed", "for others"],
    ["instance-stopped-no-capacity", "for others"],
    ["instance-terminated-by-service", "taken the spot machine back"],
  ])("says so (%s)", async (code, words) => {
    ec2.on("DescribeSpotInstanceRequests", requestOf("i-1", code));
    const { notice, phase } = await provider().describe("i-1", never);
    expect(phase).toBe("running");
    expect(notice).toContain(words);
    expect(notice).toContain(`(${code})`);
    expect(ec2.requests.at(-1)?.params).toEqual({
      "Filter.1.Name": "instance-id",
      "Filter.1.Value.1": "i-1",
    });
  });
});

const silent: [string, Ec2Answer][] = [
  ["it goes on", requestOf("i-1", "fulfilled")],
  ["we ended it ourselves", requestOf("i-1", "instance-terminated-by-user")],
  ["the cloud tells of another one", requestOf("i-2", "marked-for-termination")],
  ["the cloud knows no request", ec2Success("DescribeSpotInstanceRequests", "<spotInstanceRequestSet/>")],
  ["nobody may ask", ec2Failure("UnauthorizedOperation", "You may not.", 403)],
  ["the question fails", ec2Failure("InternalError", "oops", 500)],
];
test.each(silent)("there is no notice, and a machine all the same, when %s", async (_, answer) => {
  ec2.on("DescribeSpotInstanceRequests", answer);
  expect(await provider().describe("i-1", never)).toMatchObject({
    id: "i-1",
    phase: "running",
    notice: undefined,
  });
});

test("only describe asks, and only for a spot machine", async () => {
  await provider().list(never);
  await provider().find("t1", never);
  ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", "running", owned)]));
  await provider().describe("i-1", never);
  expect(actions()).toEqual(["DescribeInstances", "DescribeInstances", "DescribeInstances"]);
});

test("an abort while the notice is asked for rejects with its reason", async () => {
  const reason = new LazysshError("SHUTTING_DOWN", "the server stops");
  const controller = new AbortController();
  ec2.on("DescribeSpotInstanceRequests", () => {
    controller.abort(reason);
    return "drop";
  });
  await expect(provider().describe("i-1", controller.signal)).rejects.toBe(reason);
});

describe("an order of spot", () => {
  const spot = { maxPrice: "0.0031", fallback: "none" } as const;
  const sent = async (patch: Partial<AwsEc2Target>) => {
    ec2.on(
      "RunInstances",
      ec2Success("RunInstances", `<instancesSet>${instanceXml("i-1", "pending")}</instancesSet>`),
    );
    await provider(patch).create(order("t1"), never);
    return ec2.requests.at(-1)?.params ?? {};
  };

  test("is for once, and ends for good", async () => {
    const params = await sent({ spot });
    expect(params).toMatchObject({
      "InstanceMarketOptions.MarketType": "spot",
      "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
      "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "terminate",
      "InstanceMarketOptions.SpotOptions.MaxPrice": "0.0031",
      InstanceInitiatedShutdownBehavior: "terminate",
      "TagSpecification.4.ResourceType": "spot-instances-request",
      "TagSpecification.4.Tag.2.Key": "lazyssh:owner",
    });
  });

  test("without a price goes up to the on-demand price", async () => {
    const params = await sent({ spot: { ...spot, maxPrice: undefined } });
    expect(params).not.toHaveProperty("InstanceMarketOptions.SpotOptions.MaxPrice");
  });

  test("is not made to hibernate, for it cannot rest", async () => {
    expect(await sent({ spot, stopMode: "hibernate" })).not.toHaveProperty("HibernationOptions.Configured");
  });
});
