import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { ec2Failure, ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { describeInstancesXml, failureOf, instanceXml, isolateSdk, never } from "./fixture.ts";

let ec2: ScriptedEc2;
beforeEach(async () => {
  isolateSdk();
  ec2 = await startScriptedEc2();
  ec2.on("StartInstances", ec2Success("StartInstances", "<instancesSet/>"));
  ec2.on("StopInstances", ec2Success("StopInstances", "<instancesSet/>"));
});
afterEach(async () => {
  await ec2[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const provider = () => createAwsEc2Provider(targetWith({ endpoint: ec2.endpoint }), { owner: "server-1" });
const state = (name: string, more = "") =>
  ec2.on("DescribeInstances", describeInstancesXml([instanceXml("i-1", name, more)]));
const sent = () => ec2.requests.map(({ action, params }) => ({ action, params }));
const notNow = ec2Failure(
  "IncorrectInstanceState",
  "The instance 'i-1' is not in a state from which it can be …",
);
const reason = "<stateReason><message>Client.UserInitiatedShutdown</message></stateReason>";
const rest = (hibernate = false) => provider().rest("i-1", { hibernate }, never);

describe("rest", () => {
  test("has the machine stopped, and asks nothing else", async () => {
    await rest();
    expect(sent()).toEqual([{ action: "StopInstances", params: { "InstanceId.1": "i-1" } }]);
  });

  test("has it hibernated, when that is asked for", async () => {
    await rest(true);
    expect(sent()).toEqual([
      { action: "StopInstances", params: { "InstanceId.1": "i-1", Hibernate: "true" } },
    ]);
  });

  test.each([
    [
      "UnsupportedOperation",
      "You can't stop the Spot Instance 'i-1' because it is associated with a one-time Spot Instance request.",
    ],
    [
      "UnsupportedOperation",
      "The instance 'i-1' does not have an 'ebs' root device type and cannot be stopped.",
    ],
    [
      "UnsupportedHibernationConfiguration",
      "The instance can't be hibernated because it was not configured at launch",
    ],
    ["InvalidParameterCombination", "The parameter Hibernate cannot be used with this instance"],
    ["OperationNotPermitted", "You can't stop a Spot Instance of a one-time request"],
  ])("of what cannot rest (%s: %s) is NOT_SUPPORTED", async (code, message) => {
    ec2.on("StopInstances", ec2Failure(code, message));
    const error = await failureOf(rest());
    expect(error).toMatchObject({ code: "NOT_SUPPORTED", retryable: false });
    expect(error.message).toContain("only terminated");
    expect(error.message).toContain(message);
  });

  test.each([
    [
      "OperationNotPermitted",
      "The instance 'i-1' may not be stopped. Modify its 'disableApiStop' instance attribute",
      "protect",
    ],
    [
      "UnauthorizedOperation",
      "You are not authorized to perform this operation.",
      "permission ec2:StopInstances",
    ],
  ])("that is not allowed (%s) is told as such", async (code, message, words) => {
    ec2.on("StopInstances", ec2Failure(code, message, 403));
    const error = await failureOf(rest());
    expect(error).toMatchObject({ code: "NOT_PERMITTED", retryable: false });
    expect(error.message).toContain(words);
  });

  test.each(["stopping", "stopped"])("of a machine that is %s is done", async (name) => {
    ec2.on("StopInstances", notNow);
    state(name);
    await rest();
  });

  test("of a machine that starts is possible later", async () => {
    ec2.on("StopInstances", notNow);
    state("pending");
    expect(await failureOf(rest())).toMatchObject({ code: "NOT_READY", retryable: true });
  });

  test.each(["shutting-down", "terminated"])("of a machine that is %s says why it ends", async (name) => {
    ec2.on("StopInstances", notNow);
    state(name, reason);
    const error = await failureOf(rest());
    expect(error).toMatchObject({ code: "MACHINE_DIED", retryable: false });
    expect(error.message).toContain("Client.UserInitiatedShutdown");
  });

  test("of an unknown machine is MACHINE_NOT_FOUND", async () => {
    ec2.on("StopInstances", ec2Failure("InvalidInstanceID.NotFound", "does not exist"));
    expect(await failureOf(rest())).toMatchObject({ code: "MACHINE_NOT_FOUND" });
  });
});

describe("start", () => {
  const start = () => provider().start("i-1", never);

  test("has the machine started, and asks nothing else", async () => {
    await start();
    expect(sent()).toEqual([{ action: "StartInstances", params: { "InstanceId.1": "i-1" } }]);
  });

  test("while it is still stopping is possible later", async () => {
    ec2.on("StartInstances", notNow);
    state("stopping");
    expect(await failureOf(start())).toMatchObject({ code: "NOT_READY", retryable: true });
  });

  test.each(["pending", "running"])("of a machine that is %s is done", async (name) => {
    ec2.on("StartInstances", notNow);
    state(name);
    await start();
  });

  test("of a machine that is terminated says that it never comes back", async () => {
    ec2.on("StartInstances", notNow);
    state("terminated", reason);
    expect(await failureOf(start())).toMatchObject({ code: "MACHINE_DIED", retryable: false });
  });

  test("without capacity for it is NO_CAPACITY", async () => {
    ec2.on("StartInstances", ec2Failure("InsufficientInstanceCapacity", "not now", 500));
    const error = await failureOf(start());
    expect(error).toMatchObject({ code: "NO_CAPACITY", retryable: false });
    expect(error.message).toContain("no t4g.nano to be had");
  });
});

test("a machine that is stopped rests: it has no address, and a reason", async () => {
  state("stopped", `<ipAddress>203.0.113.7</ipAddress>${reason}`);
  expect(await provider().describe("i-1", never)).toMatchObject({
    phase: "resting",
    address: undefined,
    reason: "Client.UserInitiatedShutdown",
  });
});
