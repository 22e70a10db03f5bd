import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The built program, as users run it. */
const LAZYSSH = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

export interface JumpHost extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Milliseconds from the start of the process to the line that says it listens. */
  readonly startMs: number;
}

/** Runs `lazyssh serve` in a process of its own, and waits until it listens. */
export async function startJumpHost(config: string, env: NodeJS.ProcessEnv): Promise<JumpHost> {
  const started = performance.now();
  const child = spawn(process.execPath, [LAZYSSH, "serve", "-c", config, "--log-format", "json"], {
    env,
    stdio: ["ignore", "inherit", "pipe"],
  });
  const { host, port } = await listening(child);
  return {
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
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      if (!line.includes('"msg":"listening"')) return;
      const { host, port } = JSON.parse(line) as { host: string; port: number };
      resolve({ host, port });
    });
    child.once("exit", (code) => reject(new Error(`lazyssh ended with ${code}:\n${said.join("\n")}`)));
  });
}
