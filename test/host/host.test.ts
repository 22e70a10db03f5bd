import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Config } from "../../src/config/index.ts";
import { askServer } from "../../src/control/index.ts";
import { startHost } from "../../src/host/index.ts";
import { createEventStream, type LazysshEvent } from "../../src/observe/index.ts";
import { systemClock } from "../../src/util/clock.ts";
import { serverConfig } from "../harness/server-config.ts";
import { type SshFolder, sshFolder } from "../harness/ssh.ts";
import { tempDir } from "../harness/temp.ts";

async function config(metricsPort: number | undefined): Promise<Config> {
  const folder: SshFolder = await sshFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const hostKey = await folder.key("host");
  const clientKey = await folder.key("client");
  return {
    file: "config.hcl",
    server: serverConfig(hostKey, clientKey, {
      metrics: metricsPort === undefined ? undefined : { host: "127.0.0.1", port: metricsPort },
    }),
    targets: [{ type: "forward", name: "home", to: "127.0.0.1", ports: undefined }],
    jobs: [],
  };
}

async function start(given: Config, path = tempDir()) {
  const events = createEventStream();
  const seen: LazysshEvent[] = [];
  events.subscribe((event) => seen.push(event));
  const stateDir = { path, isDefault: false };
  const host = await startHost({ config: given, stateDir, events, clock: systemClock });
  onTestFinished(() => host.close("test"));
  return { host, seen, path };
}

/** A port that nobody has, or that is had by another, when `taken`. */
async function port({ taken }: { taken: boolean }): Promise<number> {
  const server = createServer();
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
  const address = server.address() as { port: number };
  if (taken) onTestFinished(() => void server.close());
  else await new Promise((down) => server.close(down));
  return address.port;
}

const status = (dir: string) =>
  askServer(dir, { do: "status", volumes: true }, { signal: new AbortController().signal });

describe("a running jump host", () => {
  it("can be asked by hand what it does, until it has ended", async () => {
    const { host, path, seen } = await start(await config(undefined));
    const { server, targets } = await status(path);
    expect(server.place).toEqual({
      pid: process.pid,
      listen: `127.0.0.1:${host.address.port}`,
      config: resolve("config.hcl"),
      stateDir: path,
    });
    expect(targets.map(({ name, type }) => `${name} ${type}`)).toEqual(["home forward"]);
    expect(seen).toContainEqual({ type: "control", do: "status", volumes: true });
    await host.close("SIGTERM");
    await expect(status(path)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  it("serves although it cannot be asked, and says so", async () => {
    const path = tempDir();
    mkdirSync(join(path, "control", "in the way"), { recursive: true });
    const { seen } = await start(await config(undefined), path);
    expect(seen).toContainEqual({
      type: "server.warning",
      reason: expect.stringMatching(/status, start and stop cannot reach this server/),
    });
  });

  it("serves metrics where the config says so", async () => {
    const given = await config(undefined);
    const at = await port({ taken: false });
    const metrics = { host: "127.0.0.1", port: at };
    const { host } = await start({ ...given, server: { ...given.server, metrics } });
    expect(await (await fetch(`http://127.0.0.1:${at}/metrics`)).text()).toContain("lazyssh_connections 0\n");
    await host.close("SIGTERM");
    await expect(fetch(`http://127.0.0.1:${at}/metrics`)).rejects.toThrow();
  });

  it("does not start when it cannot serve metrics there, and leaves nothing behind", async () => {
    const path = tempDir();
    const at = await port({ taken: true });
    await expect(start(await config(at), path)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`127.0.0.1:${at}`),
    });
    expect(existsSync(join(path, "control"))).toBe(false);
    await start(await config(undefined), path); // nobody holds it
  });
});
