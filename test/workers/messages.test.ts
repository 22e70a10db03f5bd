import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { LazysshError } from "../../src/util/errors.ts";
import {
  addressesOf,
  errorFromWire,
  errorToWire,
  type ToWorker,
  tenantToWire,
} from "../../src/workers/messages.ts";
import { authorizedKey, serverConfig, userConfig } from "../harness/server-config.ts";

it("a config comes to another process as it is, and nothing of a target but its name and ports", async () => {
  const key = { type: "ssh-ed25519", blob: Buffer.from("a key"), comment: "of hers" };
  const revoked = {
    keys: new Set(["SHA256:x"]),
    serials: [{ authority: undefined, from: 1n, to: 2n ** 64n - 1n }],
    ids: [{ authority: "SHA256:y", id: "laptop" }],
  };
  const options = { from: ["!10.0.0.1", "10.0.0.0/8"], permitOpen: [{ host: "*", port: undefined }] };
  const users = [userConfig("alice", [authorizedKey(key, options)], { targets: ["arch*"] })];
  const targets = [{ type: "forward", name: "archiver", to: "10.0.0.7", ports: [22] }] as const;
  const message: ToWorker = {
    type: "begin",
    server: serverConfig({ privateKey: "secret" }, key, { revoked, users, stateDir: undefined }),
    targets: addressesOf(targets),
    serverSince: 1,
    windowBytes: 2,
    full: false,
  };
  const child = fork(new URL("../fixtures/echo-messages.mjs", import.meta.url), {
    serialization: "advanced",
  });
  try {
    child.send(message);
    const [back] = (await once(child, "message")) as [ToWorker];
    expect(back).toStrictEqual(message);
    expect(JSON.stringify(addressesOf(targets))).toBe('[{"name":"archiver","ports":[22]}]');
  } finally {
    child.kill();
  }
});

it("errors keep their code, their words and whether to try again", () => {
  const error = new LazysshError("THROTTLED", "slow down", { retryable: true, cause: new Error("secret") });
  expect(errorFromWire(errorToWire(error))).toMatchObject({ ...error, message: "slow down" });
  expect(errorToWire(new TypeError("a bug"))).toEqual({
    code: "INTERNAL",
    message: "a bug",
    retryable: false,
  });
});

it("of a user of whom it is not known what may be seen, nothing is", () => {
  const user = { name: "alice", maxMachines: 1, sees: () => true };
  const wire = tenantToWire({ connection: "c", client: "x:1", user, told: () => undefined });
  expect(wire.user).toEqual({ name: "alice", maxMachines: 1, reach: { targets: [], permitOpen: [] } });
  expect(wire.listens).toBe(true);
});
