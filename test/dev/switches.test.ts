import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { eventually, startWorld } from "../harness/world.ts";

describe("the switches under /_dev", () => {
  test("set faults and delays, and show the state with counters of calls", async () => {
    await using test = await startWorld();
    const put = async (path: string, body: unknown) => {
      const response = await fetch(`${test.world.endpoint}${path}`, {
        method: "PUT",
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as unknown };
    };
    const rules = [{ action: "DescribeInstances", kind: "error", code: "Oops", times: 1 }];
    expect(await put("/_dev/faults", rules)).toEqual({ status: 200, body: rules });
    await expect(test.ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({ name: "Oops" });
    expect(await put("/_dev/faults", "nonsense")).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("JSON array") },
    });
    expect(await put("/_dev/delays", { bootMs: 5 })).toMatchObject({
      status: 200,
      body: { bootMs: 5, pendingMs: 100 },
    });
    expect(await put("/_dev/delays", { teaMs: 5 })).toMatchObject({ status: 400 });
    const state = (await (await fetch(`${test.world.endpoint}/_dev/state`)).json()) as unknown;
    expect(state).toMatchObject({
      instances: [],
      volumes: [{ id: test.world.volumeId, state: "available" }],
      calls: { DescribeInstances: 1 },
      events: expect.arrayContaining([{ type: "call", action: "DescribeInstances", at: expect.any(Number) }]),
    });
    expect((await fetch(`${test.world.endpoint}/_dev/nothing`)).status).toBe(404);
  });

  test("an outage cuts connections, refuses new ones, and ends on the same port", async () => {
    await using test = await startWorld();
    const body = JSON.stringify({ ms: 3_000 });
    const answer = await fetch(`${test.world.endpoint}/_dev/outage`, { method: "POST", body });
    expect(answer.status).toBe(200);
    await eventually("connections are refused", async () => {
      const outcome = await test.ec2.send(new DescribeInstancesCommand({})).catch((error: unknown) => error);
      return (outcome as NodeJS.ErrnoException).code === "ECONNREFUSED";
    });
    await eventually("it is back", () =>
      test.ec2.send(new DescribeInstancesCommand({})).catch(() => undefined),
    );
  });

  test("an outage resets calls that are under way", async () => {
    await using test = await startWorld();
    test.world.faults.set([{ action: "*", kind: "hang", ms: 60_000 }]);
    const call = test.ec2.send(new DescribeInstancesCommand({}));
    const refused = expect(call).rejects.toMatchObject({ code: "ECONNRESET" });
    await eventually("the call has arrived", () => test.world.state().calls.DescribeInstances === 1);
    await test.world.outage(0);
    await refused;
  });
});
