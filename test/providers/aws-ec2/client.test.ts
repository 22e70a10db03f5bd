import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createEc2 } from "../../../src/providers/aws-ec2/client.ts";
import { createProvider } from "../../../src/providers/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { ec2Failure, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { describeVolumesXml, failureOf, isolateSdk, never, sdf, volumeXml } from "./fixture.ts";

const seen = vi.hoisted(() => ({ sdkLoads: 0 }));
vi.mock("@aws-sdk/client-ec2", async (importOriginal) => {
  seen.sdkLoads += 1;
  return await importOriginal();
});

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const client = (patch: Parameters<typeof targetWith>[0] = {}, request = 30_000) =>
  createEc2(targetWith({ endpoint: ec2.endpoint, ...patch }), { connect: 5_000, request });

describe("loading", () => {
  test("the SDK is loaded by the first call and not before", async () => {
    const provider = createProvider(targetWith({ endpoint: ec2.endpoint, attachVolumes: [sdf] }), {
      owner: "o",
      stateDir: "",
    });
    expect(await createProvider(targetWith(), { owner: "o", stateDir: "" }).volumesFree(never)).toEqual({
      done: true,
    });
    expect(seen.sdkLoads).toBe(0);
    ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
    expect(await provider.volumesFree(never)).toEqual({ done: true });
    expect(seen.sdkLoads).toBe(1);
  });

  test("it prints nothing on our log", async () => {
    const warned = vi.spyOn(process, "emitWarning");
    const printed = [vi.spyOn(console, "warn"), vi.spyOn(console, "error"), vi.spyOn(console, "log")];
    ec2.on("DescribeVolumes", describeVolumesXml());
    await client().describeVolumes({}, never);
    // Both a profile and keys in the environment: the SDK would like to tell.
    await failureOf(client({ profile: "nobody" }).describeVolumes({}, never));
    for (const spy of [warned, ...printed]) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });
});

describe("attempts", () => {
  test.each([
    ["dropped connections", "drop"],
    ["faults of the cloud", ec2Failure("InternalError", "oops", 500)],
    ["throttling", ec2Failure("RequestLimitExceeded", "slow down", 503)],
  ] as const)("a read survives two %s", async (_, answer) => {
    ec2.on("DescribeInstances", answer, answer, describeVolumesXml());
    await client().describeInstances({}, never);
    expect(ec2.requests).toHaveLength(3);
  });

  test("a read is given up after three attempts", async () => {
    ec2.on("DescribeInstances", "drop");
    const error = await failureOf(client().describeInstances({}, never));
    expect(error).toMatchObject({ code: "CLOUD_UNREACHABLE", retryable: true });
    expect(error.message).toContain(ec2.endpoint);
    expect(ec2.requests).toHaveLength(3);
  });

  test.each([
    ["RunInstances", () => client().runInstances({ MinCount: 1, MaxCount: 1 }, never)],
    ["TerminateInstances", () => client().terminateInstances({ InstanceIds: ["i-1"] }, never)],
    [
      "AttachVolume",
      () => client().attachVolume({ VolumeId: "vol-1", InstanceId: "i-1", Device: "/dev/sdf" }, never),
    ],
    ["StartInstances", () => client().startInstances({ InstanceIds: ["i-1"] }, never)],
    ["StopInstances", () => client().stopInstances({ InstanceIds: ["i-1"] }, never)],
    ["CreateTags", () => client().createTags({ Resources: ["i-1"], Tags: [{ Key: "k" }] }, never)],
    ["DeleteTags", () => client().deleteTags({ Resources: ["i-1"], Tags: [{ Key: "k" }] }, never)],
  ])("%s, which has an effect, is tried once and its lost answer is told", async (action, send) => {
    ec2.on(action, "drop");
    expect(await failureOf(send())).toMatchObject({ code: "CLOUD_UNREACHABLE", retryable: true });
    expect(ec2.requests).toHaveLength(1);
  });
});

describe("deadlines", () => {
  test.each(["hang", "stall"] as const)(
    "an answer that does not come (%s) is CLOUD_UNREACHABLE",
    async (answer) => {
      ec2.on("RunInstances", answer);
      const error = await failureOf(client({}, 200).runInstances({ MinCount: 1, MaxCount: 1 }, never));
      expect(error).toMatchObject({ code: "CLOUD_UNREACHABLE", retryable: true });
      expect(error.message).toContain("no answer in time");
      expect(error.message).toContain(ec2.endpoint);
    },
  );
});

describe("abort", () => {
  const reason = new LazysshError("BOOT_CANCELLED", "nobody waits any more");

  test("an aborted signal sends nothing and gives its reason", async () => {
    await expect(client().describeVolumes({}, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(ec2.requests).toHaveLength(0);
  });

  test.each(["hang", "stall"] as const)(
    "in the middle of a request (%s) the reason comes at once",
    async (answer) => {
      ec2.on("RunInstances", answer);
      const controller = new AbortController();
      const call = client().runInstances({ MinCount: 1, MaxCount: 1 }, controller.signal);
      const rejected = expect(call).rejects.toBe(reason);
      await ec2.arrived(1);
      controller.abort(reason);
      await rejected;
    },
  );

  test("between two attempts the reason comes at once, and no attempt follows", async () => {
    const controller = new AbortController();
    ec2.on("DescribeVolumes", () => {
      controller.abort(reason);
      return "drop";
    });
    await expect(client().describeVolumes({}, controller.signal)).rejects.toBe(reason);
    expect(ec2.requests).toHaveLength(1);
  });

  test("leaves no listener behind on the signal of a whole life", async () => {
    ec2.on("DescribeVolumes", describeVolumesXml());
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, "addEventListener");
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    await client().describeVolumes({}, controller.signal);
    const [, ours] = added.mock.calls[0] ?? [];
    expect(removed.mock.calls.map(([, listener]) => listener)).toContain(ours);
  });
});

describe("where", () => {
  test("the SDK's own setting of the endpoint is used, and named in errors", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL_EC2", ec2.endpoint);
    ec2.on("DescribeVolumes", ec2Failure("InvalidParameterValue", "no"));
    const error = await failureOf(client({ endpoint: undefined }).describeVolumes({}, never));
    expect(error.message).toContain(`${ec2.endpoint} (region us-west-2)`);
  });

  test("the region comes from the environment when the target has none", async () => {
    vi.stubEnv("AWS_REGION", "eu-west-3");
    ec2.on("DescribeVolumes", ec2Failure("InvalidParameterValue", "no"));
    const error = await failureOf(client({ region: undefined }).describeVolumes({}, never));
    expect(error.message).toContain("(region eu-west-3)");
    expect(ec2.requests[0]?.authorization).toContain("/eu-west-3/ec2/");
  });

  test("without any region the error says how to give one", async () => {
    const error = await failureOf(client({ region: undefined }).describeVolumes({}, never));
    expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
    expect(error.message).toContain("set region in the target");
  });

  test("an endpoint that is no URL is said to be none", async () => {
    const error = await failureOf(client({ endpoint: "localhost" }).describeVolumes({}, never));
    expect(error).toMatchObject({ code: "BAD_REQUEST", retryable: false });
    expect(error.message).toContain("not a URL");
  });

  test("a profile that does not exist is a matter of credentials", async () => {
    const error = await failureOf(client({ profile: "nobody" }).describeVolumes({}, never));
    expect(error).toMatchObject({ code: "CREDENTIALS", retryable: false });
    expect(ec2.requests).toHaveLength(0);
  });

  test("a port where nobody listens is unreachable", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    await once(closed, "close");
    const endpoint = `http://127.0.0.1:${port}`;
    const error = await failureOf(client({ endpoint }).runInstances({ MinCount: 1, MaxCount: 1 }, never));
    expect(error).toMatchObject({ code: "CLOUD_UNREACHABLE", retryable: true });
    expect(error.message).toContain(endpoint);
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("a server that does not speak HTTP is told as such", async () => {
    const other = createServer((socket) => socket.on("error", () => {}).write("SSH-2.0-OpenSSH_9.2\r\n"));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const endpoint = `http://127.0.0.1:${port}`;
    const error = await failureOf(client({ endpoint }).runInstances({ MinCount: 1, MaxCount: 1 }, never));
    other.close();
    expect(error).toMatchObject({ code: "CLOUD_ERROR", retryable: true });
    expect(error.message).toContain("not EC2");
  });
});
