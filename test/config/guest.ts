import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What the scripts may use of the real machine. */
const TOOLS = ["cat", "date", "grep", "kill", "ln", "mkdir", "nohup", "sh", "wc"];
/** The rounds that a guest lives for when nothing powers it off. */
const MOST_ROUNDS = 9;

/** A folder that stands for a guest: its /etc, /run and console, programs that note how they were called, and nothing else in PATH. */
export class Guest {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    for (const folder of ["bin", "etc", "run"]) mkdirSync(join(root, folder));
    for (const tool of TOOLS) symlinkSync(which(tool), join(root, "bin", tool));
    const end = `echo >>${root}/rounds; [ "$(wc -l <${root}/rounds)" -lt ${MOST_ROUNDS} ] || kill $PPID`;
    this.program("sleep", end);
    this.program("shutdown", `echo "$@" >>${root}/off; kill $PPID`);
  }

  /** Puts a program into PATH. */
  program(name: string, script: string): void {
    const path = join(this.#root, "bin", name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** One of the real machine. */
  tool(name: string): void {
    symlinkSync(which(name), join(this.#root, "bin", name));
  }

  folder(path: string): void {
    mkdirSync(join(this.#root, path), { recursive: true });
  }

  /** Undefined when there is no such file. */
  read(path: string): string | undefined {
    const place = join(this.#root, path);
    return existsSync(place) ? readFileSync(place, "utf8") : undefined;
  }

  /** A text with the guest's paths in the place of the machine's. */
  moved(text: string): string {
    return text
      .replace(/(?<![\w./])\/(?:etc|run|dev\/console)\b/g, `${this.#root}$&`)
      .replace("/dev/console", "/console");
  }

  /** Runs a script to its end. Answers what it printed, and its exit code. */
  async run(shell: string, script: string): Promise<{ output: string; code: number | null }> {
    const file = join(this.#root, "script");
    writeFileSync(file, this.moved(script));
    const child = spawn(which(shell), [...(shell === "busybox" ? ["sh"] : []), file], {
      env: { PATH: join(this.#root, "bin") },
      timeout: 20_000,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    return { output, code };
  }
}

function which(program: string): string {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there is no program "${program}" in PATH`);
  return found;
}
