import { describe, expect, test } from "vitest";
import { authorizedKey, hostKey, load, places, server } from "./support.ts";

describe("server", () => {
  test("has its defaults and its keys", () => {
    const { config } = load(server);
    expect(config?.server).toMatchObject({
      listen: { host: "localhost", port: 7922 },
      hostKeys: [{ key: `${hostKey}\n`, certificate: undefined }],
      users: [{ name: "jump", keys: [{ key: { type: "ssh-ed25519", comment: "dana@laptop" } }] }],
      stateDir: undefined,
    });
    expect(config?.server.users[0]?.keys[0]?.key.blob.toString("base64")).toBe(authorizedKey.split(" ")[1]);
    expect(config?.file).toBe("config.hcl");
  });

  test.each([
    ["localhost:7922", "localhost", 7922],
    ["[::1]:7922", "::1", 7922],
    [":7922", "", 7922],
    [":0", "", 0],
    ["0.0.0.0:22", "0.0.0.0", 22],
  ])("listens on %s", (listen, host, port) => {
    const { config } = load(
      server.replace("server {", `server {\n  listen = "${listen}"\n  state_dir = "/s"`),
    );
    expect(config?.server).toMatchObject({ listen: { host, port }, stateDir: "/s" });
  });

  test("has a group, a limit and an address for metrics when they are given", () => {
    const text = '  group = "home_1.a-b"\n  max_machines = 5\n  metrics = "localhost:9922"\n';
    expect(load(server).config?.server).toMatchObject({
      group: undefined,
      maxMachines: undefined,
      metrics: undefined,
      workers: 0,
    });
    expect(load(server.replace("{\n", `{\n${text}`)).config?.server).toMatchObject({
      group: "home_1.a-b",
      maxMachines: 5,
      metrics: { host: "localhost", port: 9922 },
    });
  });

  test("an indented key in a heredoc is a key, CRLF line ends too", () => {
    const indented = server.replace("<<KEY", "<<-KEY").replace(hostKey, hostKey.replace(/^/gm, "    "));
    expect(load(indented).config?.server.hostKeys[0]?.key).toBe(`${hostKey}\n`);
    expect(load(server.replaceAll("\n", "\r\n")).config?.server.hostKeys[0]?.key).toBe(`${hostKey}\n`);
  });

  test("keys may come from the environment", () => {
    const text = 'server {\n  host_key = env("HOST")\n  authorized_key = env("USER_KEY")\n}\n';
    const { config } = load(text, { env: { HOST: hostKey, USER_KEY: authorizedKey } });
    expect(config?.server.hostKeys[0]?.key).toBe(`${hostKey}\n`);
  });

  test("without a target it is valid, with a warning", () => {
    const result = load(server);
    expect(result.config?.targets).toEqual([]);
    expect(places(result)).toEqual(["1:1 No target"]);
  });
});
