import { describe, expect, test } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import {
  type IdentifiedInstance,
  instancesOf,
  isOwn,
  machineOf,
  tokenOf,
} from "../../../src/providers/aws-ec2/machine.ts";

const instance = (more: Partial<IdentifiedInstance>): IdentifiedInstance => ({ InstanceId: "i-1", ...more });
const inState = (name: string, more: Partial<IdentifiedInstance> = {}) =>
  instance({ ...more, State: { Name: name as "running" } });

describe("phase", () => {
  test.each([
    ["pending", "pending"],
    ["running", "running"],
    ["shutting-down", "stopping"],
    ["stopping", "stopping"],
    ["stopped", "resting"],
    ["terminated", "gone"],
    ["rebooting-of-some-other-cloud", "pending"],
  ])("EC2's %s is %s", (state, phase) => {
    expect(machineOf(inState(state), undefined).phase).toBe(phase);
  });

  test("without a state it is pending: not usable, and not proven gone", () => {
    expect(machineOf(instance({}), undefined)).toEqual({
      id: "i-1",
      phase: "pending",
      address: undefined,
      reason: undefined,
      token: undefined,
      target: undefined,
      notes: {},
      notice: undefined,
      startedAt: undefined,
    });
  });
});

describe("address", () => {
  const all = inState("running", {
    PublicIpAddress: "203.0.113.7",
    PrivateIpAddress: "10.0.0.7",
    Ipv6Address: "2001:db8::7",
  });
  const inside = inState("running", {
    PublicIpAddress: "",
    NetworkInterfaces: [
      { PrivateIpAddress: "10.0.0.8", Ipv6Addresses: [{ Ipv6Address: "2001:db8::8" }] },
      { Association: { PublicIp: "203.0.113.8" } },
    ],
  });
  const privateOnly = inState("running", { PublicIpAddress: "", PrivateIpAddress: "10.0.0.9" });

  const cases: [string, IdentifiedInstance, AwsEc2Target["address"], string | undefined][] = [
    ["public by default", all, undefined, "203.0.113.7"],
    ["public", all, "public", "203.0.113.7"],
    ["private", all, "private", "10.0.0.7"],
    ["ipv6", all, "ipv6", "2001:db8::7"],
    ["public of an interface", inside, undefined, "203.0.113.8"],
    ["private of an interface", inside, "private", "10.0.0.8"],
    ["ipv6 of an interface", inside, "ipv6", "2001:db8::8"],
    ["private, when there is no public one and none was asked for", privateOnly, undefined, "10.0.0.9"],
    ["none, when a public one was asked for and there is none", privateOnly, "public", undefined],
    ["none, when an ipv6 one was asked for and there is none", privateOnly, "ipv6", undefined],
  ];
  test.each(cases)("%s", (_, given, wanted, address) => {
    expect(machineOf(given, wanted).address).toBe(address);
  });

  test("while it is pending the private address is no fallback, since the public one may still come", () => {
    expect(
      machineOf(inState("pending", { PrivateIpAddress: "10.0.0.9" }), undefined).address,
    ).toBeUndefined();
  });

  test("an instance on its way out has none", () => {
    const leaving = inState("shutting-down", { PublicIpAddress: "203.0.113.7" });
    expect(machineOf(leaving, undefined).address).toBeUndefined();
  });
});

describe("reason", () => {
  const StateReason = {
    Code: "Client.VolumeLimitExceeded",
    Message: "Client.VolumeLimitExceeded: Volume limit exceeded",
  };
  test("is the cloud's message once it is stopping or gone", () => {
    expect(machineOf(inState("terminated", { StateReason }), undefined).reason).toBe(StateReason.Message);
  });
  test("falls back to the code, then to the transition reason", () => {
    const code = inState("terminated", { StateReason: { Code: "Server.InternalError", Message: "" } });
    const transition = inState("stopping", {
      StateTransitionReason: "User initiated (2026-01-01 00:00:00 GMT)",
    });
    expect(machineOf(code, undefined).reason).toBe("Server.InternalError");
    expect(machineOf(transition, undefined).reason).toContain("User initiated");
  });
  test("is not given for a machine that lives, though EC2 says `pending: pending`", () => {
    const pending = inState("pending", { StateReason: { Code: "pending", Message: "pending" } });
    expect(machineOf(pending, undefined).reason).toBeUndefined();
  });
});

describe("token and tags", () => {
  const Tags = [
    { Key: "lazyssh:owner", Value: "o1" },
    { Key: "lazyssh:target", Value: "archiver" },
    { Key: "lazyssh:launch", Value: "t-tag" },
  ];
  test("the token is the launch tag, or the client token where there are no tags", () => {
    expect(tokenOf({ ClientToken: "t-tag-3", Tags })).toBe("t-tag");
    expect(tokenOf({ ClientToken: "t-client", Tags: [] })).toBe("t-client");
    expect(tokenOf({})).toBeUndefined();
  });
  test("an instance is ours only with our tag", () => {
    expect(isOwn({ Tags }, "o1")).toBe(true);
    expect(isOwn({ Tags }, "o2")).toBe(false);
    expect(isOwn({ Tags: Tags.slice(1) }, "o1")).toBe(false);
    expect(isOwn({}, "o1")).toBe(false);
  });
});

test("instances without an id, and reservations without instances, are skipped", () => {
  expect(instancesOf(undefined)).toEqual([]);
  expect(instancesOf([{}, { Instances: [{}, { InstanceId: "" }, { InstanceId: "i-2" }] }])).toEqual([
    { InstanceId: "i-2" },
  ]);
});
