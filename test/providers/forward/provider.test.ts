import { expect, test } from "vitest";
import { createForwardProvider } from "../../../src/providers/forward/provider.ts";
import { LazysshError } from "../../../src/util/errors.ts";

const never = new AbortController().signal;
const forward = () => createForwardProvider({ type: "forward", name: "nas", to: "10.0.0.5" });
const machine = { id: "forward:10.0.0.5", phase: "running", address: "10.0.0.5", reason: undefined };

test("its machine runs at the configured address, before and after it is ordered", async () => {
  const provider = forward();
  expect(await provider.describe("forward:10.0.0.5", never)).toEqual({ ...machine, token: undefined });
  expect(await provider.find("t1", never)).toBeUndefined();
  expect(await provider.create({ token: "t1" }, never)).toEqual({ ...machine, token: "t1" });
  expect(await provider.create({ token: "t1" }, never)).toEqual({ ...machine, token: "t1" });
  expect(await provider.find("t1", never)).toEqual({ ...machine, token: "t1" });
  expect(await provider.attach("forward:10.0.0.5", never)).toEqual({ done: true });
  expect(await provider.volumesFree(never)).toEqual({ done: true });
  expect(provider.summary).toBe("forward to 10.0.0.5");
});

test("who destroys it sees it gone, and can have it again", async () => {
  const provider = forward();
  await provider.create({ token: "t1" }, never);
  await provider.destroy("forward:10.0.0.5", never);
  expect(await provider.describe("forward:10.0.0.5", never)).toMatchObject({
    phase: "gone",
    address: undefined,
  });
  expect(await provider.create({ token: "t2" }, never)).toEqual({ ...machine, token: "t2" });
});

test("lists nothing, for there is nothing that could be left behind", async () => {
  const provider = forward();
  await provider.create({ token: "t1" }, never);
  expect(await provider.list(never)).toEqual([]);
  expect(provider.remedy("forward:10.0.0.5", "t1")).toContain("starts no machine");
});

test("does not know the machines of others", async () => {
  const provider = forward();
  for (const verb of [provider.describe, provider.attach, provider.destroy]) {
    const error = await verb("i-1", never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LazysshError);
    expect(error).toMatchObject({ code: "MACHINE_NOT_FOUND" });
  }
});

test("every verb rejects with the reason of an aborted signal", async () => {
  const provider = forward();
  const reason = new LazysshError("SHUTTING_DOWN", "the server stops");
  const signal = AbortSignal.abort(reason);
  const id = "forward:10.0.0.5";
  const calls = [
    provider.volumesFree(signal),
    provider.create({ token: "t" }, signal),
    provider.find("t", signal),
    provider.describe(id, signal),
    provider.attach(id, signal),
    provider.destroy(id, signal),
    provider.list(signal),
  ];
  for (const call of calls) await expect(call).rejects.toBe(reason);
});
