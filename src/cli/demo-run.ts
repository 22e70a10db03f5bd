import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { World } from "../dev/index.ts";
import { createEventStream } from "../observe/index.ts";
import { deadline } from "../util/deadline.ts";
import { LazysshError, messageOf } from "../util/errors.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { startDev } from "./dev-start.ts";

/** Each connection and each wait gets this long; the whole usually takes under ten seconds. */
const STEP_MS = 20_000;

export async function demo(this: CliContext, flags: { keep?: string }): Promise<void> {
  const dir = flags.keep ?? (await mkdtemp(join(tmpdir(), "lazyssh-demo-")));
  try {
    await showMainJob(this, dir);
    this.process.exitCode = exitCodes.ok;
  } catch (error) {
    this.stderr.write(`\nThe demo failed: ${messageOf(error)}\n`);
    this.process.exitCode = exitCodes.failed;
  } finally {
    if (flags.keep === undefined) await rm(dir, { recursive: true, force: true });
    else this.stdout.write(`Everything is still in ${dir}\n`);
  }
}

/** Does the main job twice, checking after each step that what is said really happened. */
async function showMainJob(context: CliContext, dir: string): Promise<void> {
  const { clock, stdout, stderr } = context;
  const started = clock.now();
  const say = (text: string) => {
    const seconds = ((clock.now() - started) / 1_000).toFixed(1);
    stdout.write(`${seconds.padStart(5)} s  ${text}\n`);
  };
  const { world, host } = await startDev(context, {
    dir,
    server: true,
    events: createEventStream(),
    notice: (text) => void stderr.write(text),
  });
  if (!host) throw new LazysshError("INTERNAL", "the jump host did not start");
  try {
    const ssh = (command: string, jump = "lazyssh") =>
      runSsh(context, {
        config: join(world.dir, "ssh_config"),
        jump,
        command,
        shown: (line) => say(`  ${line}`),
      });
    const { host: listenHost, port } = host.address;
    say(`A cloud of its own runs on this machine, a jump host listens on ${listenHost}:${port}.`);
    check(running(world).length === 0, "machines run although nobody has connected");
    check(volume(world) === "available", `the volume is ${volume(world)}`);
    say(`No machine runs. The volume ${world.volumeId} is available: it costs cents a month.`);

    const letter = `written by the demo at ${new Date(clock.now()).toISOString()}`;
    say(`$ ssh -o ProxyJump=boot+%h@lazyssh archiver 'echo "${letter}" > ~/volume/letter'`);
    await ssh(`echo "${letter}" > ~/volume/letter && sync`, "boot+%h@lazyssh");
    const first = machines(world).at(-1);
    check(first !== undefined, "no machine was started");
    say(`The machine ${first?.id} was started for that, got the volume, and took the letter.`);

    await until(context, "the machine to be terminated", () => running(world).length === 0);
    say(`Nobody is connected any more: ${first?.id} is terminated.`);
    await until(context, "the volume to be available", () => volume(world) === "available");
    say(`The volume ${world.volumeId} is available again.`);

    say("$ ssh -J lazyssh archiver 'cat ~/volume/letter'");
    const read = (await ssh("cat ~/volume/letter")).trim();
    check(read === letter, `the volume came back with other content: ${JSON.stringify(read)}`);
    const second = machines(world).at(-1);
    check(second !== undefined && second.id !== first?.id, "the second connection got the first machine");
    say(`Another machine, ${second?.id}, with the same volume, reads: ${read}`);

    await host.close("demo");
    check(running(world).length === 0, "a machine still runs after the jump host has ended");
    check(volume(world) === "available", `the volume is still ${volume(world)}`);
    say("The jump host has ended; nothing runs, and the letter stays on the volume.");
  } finally {
    await host.close("demo");
    await world.close();
  }
}

function machines(world: World): ReturnType<World["state"]>["instances"] {
  return world.state().instances;
}

function running(world: World): ReturnType<World["state"]>["instances"] {
  return machines(world).filter(({ state }) => state !== "terminated");
}

function volume(world: World): string {
  return world.state().volumes.find(({ id }) => id === world.volumeId)?.state ?? "missing";
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new LazysshError("INTERNAL", otherwise);
}

async function until({ clock }: CliContext, what: string, condition: () => boolean): Promise<void> {
  const end = clock.now() + STEP_MS;
  while (!condition()) {
    check(clock.now() < end, `waited ${STEP_MS / 1_000} s in vain for ${what}`);
    await clock.sleep(50);
  }
}

interface SshCommand {
  readonly config: string;
  /** As ssh_config's ProxyJump has it. */
  readonly jump: string;
  readonly command: string;
  /** Told each line that ssh shows beside what the command prints. */
  readonly shown: (line: string) => void;
}

/** Runs a command on the archiver with the ssh of this machine, and answers what it printed. */
async function runSsh({ clock }: CliContext, { config, jump, command, shown }: SshCommand): Promise<string> {
  using limit = deadline(
    clock,
    STEP_MS,
    () => new LazysshError("NOT_READY", `ssh took longer than ${STEP_MS / 1_000} s`),
  );
  const args = ["-F", config, "-o", "BatchMode=yes", "-o", `ProxyJump=${jump}`, "archiver", command];
  const child = spawn("ssh", args, { stdio: ["ignore", "pipe", "pipe"], signal: limit.signal });
  let printed = "";
  let complained = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    complained += `${line}\n`;
    shown(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (limit.signal.aborted) reject(limit.signal.reason);
      else if (error.code === "ENOENT")
        reject(new LazysshError("USAGE", "there is no ssh here: install an OpenSSH client"));
      else reject(error);
    });
    child.once("close", resolve);
  });
  if (code !== 0) throw new LazysshError("CONNECT_FAILED", `ssh ended with ${code}: ${complained.trim()}`);
  return printed;
}
