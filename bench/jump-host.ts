import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Tree } from "./tree.ts";

export interface JumpHost extends AsyncDisposable {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** Milliseconds from the start of the process until it answers on its port. */
  readonly startMs: number;
}

/** Runs `lazyssh serve` in a process of its own, and waits until it listens. */
export async function startJumpHost(
  config: string,
  env: NodeJS.ProcessEnv,
  { node, main }: Tree,
): Promise<JumpHost> {
  const started = performance.now();
  const child = spawn(
    node,
    [
      ...(process.env.LAZYSSH_BENCH_NODE_FLAGS?.split(" ") ?? []),
      main,
      "serve",
      "-c",
      config,
      "--log-format",
      "json",
    ],
    {
      env,
      stdio: ["ignore", "inherit", "pipe"],
    },
  );
  const { host, port } = await listening(child);
  return {
    pid: child.pid ?? 0,
    host,
    port,
    startMs: performance.now() - started,
    async [Symbol.asyncDispose]() {
      const exited = new Promise((exit) => child.once("exit", exit));
      child.kill("SIGTERM");
      await exited;
    },
  };
}

function listening(child: ChildProcess): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    if (!child.stderr) return reject(new Error("no standard error"));
    const said: string[] = [];
    let listens = false;
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (listens) return;
      said.push(line);
      if (!line.includes('"msg":"listening"')) return;
      listens = true;
      const { host, port } = JSON.parse(line) as { host: string; port: number };
      resolve({ host, port });
    });
    child.once("exit", (code) => reject(new Error(`lazyssh ended with ${code}:\n${said.join("\n")}`)));
  });
}
