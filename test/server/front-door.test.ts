import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OpenDoor, openDoor } from "../harness/front-door.ts";
import { ssh } from "../harness/ssh.ts";
import { echo, type TcpTarget, tcpTarget } from "../harness/tcp.ts";

describe("a plain OpenSSH client", () => {
  let door: OpenDoor;
  let config: string;
  let target: TcpTarget;
  beforeAll(async () => {
    door = await openDoor();
    config = await door.config();
    target = await tcpTarget(echo);
  });
  afterAll(async () => {
    await door[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
  });

  test("reaches a port of a target with ssh -W", async () => {
    const result = await ssh(["-F", config, "-W", `archiver:${target.port}`, "lazyssh"], { input: "hello" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("hello");
    await door.event("channel.close");
    expect(door.targets.held).toBe(0);
  });
});
