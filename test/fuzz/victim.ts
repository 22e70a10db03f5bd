import { readdirSync, readFileSync } from "node:fs";
import { MSG, message } from "../../src/server/protocol.ts";
import { systemClock } from "../../src/util/clock.ts";
import type { LogLine } from "../harness/program.ts";
import { rawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/world.ts";
import type { Stage } from "./player.ts";
import { setStage } from "./stage.ts";

/** The built program, with targets behind it, watched. */
export interface Victim extends AsyncDisposable {
  readonly stage: Stage;
  /** What must not happen, as far as it shows in the log: read it after {@link Victim.settled}. */
  readonly problems: readonly string[];
  /** Why connections ended, and channels were refused, by how often. */
  readonly reasons: ReadonlyMap<string, number>;
  /** How the program ended, if it has. */
  readonly ended: string | undefined;
  /** Bytes of memory and number of files. */
  usage(): Usage;
  /** A client that does all as it should gets through. @throws Error when it does not in time. */
  serves(): Promise<void>;
  /** Resolves when all connections are gone. @throws Error when they do not in time. */
  settled(): Promise<void>;
}

export interface Usage {
  readonly rss: number;
  readonly files: number;
}

/** For a good client among bad ones, on a machine that does much else. */
const SERVED_MS = 20_000;
const SETTLED_MS = 60_000;

/**
 * What V8 lets new objects take, and glibc the threads, grows with the pace of the work for minutes: kept small, so that memory
 * says how much is held.
 */
const TIDY = { NODE_OPTIONS: "--max-semi-space-size=4", MALLOC_ARENA_MAX: "2" };

/** What the front door may say of clients like these. */
const FORESEEN: readonly string[] = ["connections.refused", "source.refused"];
/** And what it may say of the installation. */
const SLOW = "ssh2's native ciphers are ";

export async function startVictim(): Promise<Victim> {
  const problems: string[] = [];
  const reasons = new Map<string, number>();
  let open = 0;
  const count = (what: string): void => void reasons.set(what, (reasons.get(what) ?? 0) + 1);
  const onLine = (text: string, line: LogLine | undefined): void => {
    if (!line) problems.push(`on standard error: ${text}`);
    else if (line.msg === "connection.open") open += 1;
    else if (line.msg === "connection.close") {
      open -= 1;
      count(`closed: ${line.reason}`);
    } else if (line.msg === "channel.open" || line.msg === "channel.close") count(line.msg);
    else if (line.msg === "connection.auth") count(line.accepted ? "logged in" : "not logged in");
    else if (line.msg === "channel.refused") count(`refused: ${line.code}`);
    else if (FORESEEN.includes(line.msg)) count(line.msg);
    else if (line.msg === "session") count(`session: ${line.status ?? "left"}`);
    else if (line.msg === "session.refused") count(`session refused: ${line.code}`);
    else if (line.msg === "server.warning" && String(line.reason).startsWith(SLOW)) count("slow ciphers");
    else if (line.level !== "info" || "err" in line) problems.push(text);
    if (line?.code === "INTERNAL") problems.push(text);
  };
  const { jump, stage, targets } = await setStage({ keep: 200, onLine, env: TIDY });
  const { pid } = jump.program.process;
  const ended = (): string | undefined => {
    const { exitCode, signalCode } = jump.program.process;
    const how = signalCode ?? exitCode;
    return how === null ? undefined : `the program has ended with ${how}`;
  };

  const served = async (): Promise<void> => {
    await using client = await rawClient(jump.port);
    await client.login(jump.clientKey);
    const { id } = await client.open("archiver", stage.ports.echo);
    client.send(message(MSG.CHANNEL_DATA, id, "hello"));
    const answer = await client.next(MSG.CHANNEL_DATA);
    answer.uint32();
    if (answer.text() !== "hello") throw new Error("the target's answer is another");
  };

  // Who has been in is not refused for what comes from the same address.
  await served();

  return {
    stage,
    problems,
    reasons,
    get ended() {
      return ended();
    },
    usage: () => ({
      rss: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024,
      files: readdirSync(`/proc/${pid}/fd`).length,
    }),
    serves: async () => {
      const over = new AbortController();
      const late = systemClock.sleep(SERVED_MS, over.signal).then(() => {
        throw new Error(`a good client did not get through in ${SERVED_MS} ms`);
      });
      late.catch(() => undefined);
      try {
        await Promise.race([served(), late]);
      } finally {
        over.abort();
      }
    },
    settled: () =>
      eventually("the end of all connections", () => open === 0 || ended() !== undefined, SETTLED_MS).then(
        () => undefined,
      ),
    async [Symbol.asyncDispose]() {
      await jump[Symbol.asyncDispose]();
      for (const target of targets) await target[Symbol.asyncDispose]();
    },
  };
}
