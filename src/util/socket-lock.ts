import { randomBytes } from "node:crypto";
import { lstat, readdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Clock, stayAlive, systemClock } from "./clock.ts";
import { deadline } from "./deadline.ts";
import { addressable } from "./socket-path.ts";

/** A lock that is held by this process. */
export interface SocketLock {
  close(): Promise<void>;
}

/** Who holds it; undefined where the holder does not tell. */
export interface LockHolder {
  readonly pid: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
}

export type Taking =
  | { readonly kind: "taken"; readonly lock: SocketLock }
  | { readonly kind: "held"; readonly holder: LockHolder };

export interface SocketLockOptions {
  /** Must exist. */
  readonly folder: string;
  /** Of the lock; at most four characters where the folder's path has 90 bytes. */
  readonly name: string;
  readonly clock?: Clock;
}

/** Two that come at the same moment give way to each other, and come again. */
const MOST_TRIES = 8;
const LONGEST_PAUSE_MS = 100;
const ANSWER_MS = 1_000;

/**
 * Takes a lock that one process can hold at a time: a listening unix socket, because the kernel gives it up when its holder dies,
 * however it dies. Does not keep the process alive.
 *
 * Each candidate listens at a path of its own (`NAME.0123abc`) and then looks at the others' paths: it holds the lock when none of
 * them answers. Of two candidates at least one sees the other, so that two never hold it; and as no path is used twice, the socket of
 * a dead one can be removed without the danger of removing the one that has just taken its place.
 *
 * @throws Error when the folder cannot be used.
 */
export async function takeSocketLock({
  folder,
  name,
  clock = systemClock,
}: SocketLockOptions): Promise<Taking> {
  const pattern = new RegExp(`^${name.replaceAll(".", "\\.")}(\\.[0-9a-f]{7})?$`);
  // Between two tries nothing else might: the process would end in the middle of it, and quietly.
  using _alive = stayAlive();
  for (let tries = 1; ; tries++) {
    const own = `${name}.${randomBytes(4).toString("hex").slice(1)}`;
    const path = addressable(join(folder, own));
    const candidate = await listen(path, clock.now());
    let others: readonly Seen[];
    try {
      const names = (await readdir(folder)).filter((other) => other !== own && pattern.test(other));
      others = (await Promise.all(names.map((other) => look(join(folder, other), clock)))).filter(
        (seen) => seen !== undefined,
      );
      // Who looked here between bind and listen took this socket for a dead one's.
      if (others.length === 0 && (await exists(path))) {
        candidate.hold();
        return { kind: "taken", lock: candidate };
      }
    } catch (error) {
      await candidate.close();
      throw error;
    }
    await candidate.close();
    const holder = others.find(({ holds }) => holds) ?? (tries === MOST_TRIES ? others[0] : undefined);
    if (holder) return { kind: "held", holder: { pid: holder.pid, since: holder.since } };
    if (tries === MOST_TRIES) throw new Error(`sockets in ${folder} vanish as soon as they are made`);
    await clock.sleep(Math.random() * LONGEST_PAUSE_MS);
  }
}

interface Candidate extends SocketLock {
  /** From now on others are told that the lock is held. */
  hold(): void;
}

async function listen(path: string, since: number): Promise<Candidate> {
  let holds = false;
  const server: Server = createServer((client) => {
    client.on("error", () => undefined);
    client.end(`${JSON.stringify({ pid: process.pid, since, holds })}\n`, () => client.destroy());
  });
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(path, done);
  });
  server.unref();
  return {
    hold: () => {
      holds = true;
    },
    close: () => new Promise((done) => server.close(() => done())),
  };
}

interface Seen extends LockHolder {
  readonly holds: boolean;
}

/** Who listens there; undefined when nobody does, and then the path is removed. Who says nothing is taken for a holder. */
async function look(path: string, clock: Clock): Promise<Seen | undefined> {
  const answer = await ask(addressable(path), clock);
  if (answer === "dead") {
    await rm(path, { force: true });
    return undefined;
  }
  return answer === "leaves" ? { pid: undefined, since: undefined, holds: false } : seen(answer.said);
}

function seen(said: string): Seen {
  try {
    const { pid, since, holds } = JSON.parse(said) as Record<string, unknown>;
    return {
      pid: typeof pid === "number" ? pid : undefined,
      since: typeof since === "number" ? since : undefined,
      holds: holds !== false,
    };
  } catch {
    return { pid: undefined, since: undefined, holds: true };
  }
}

/** What is said there, which may be nothing. `leaves`: it was just given up. `dead`: nobody listens. */
function ask(path: string, clock: Clock): Promise<{ readonly said: string } | "leaves" | "dead"> {
  return new Promise((resolve, reject) => {
    let said = "";
    const probe = connect(path);
    const limit = deadline(clock, ANSWER_MS, () => undefined);
    limit.signal.addEventListener("abort", () => probe.destroy(), { once: true });
    probe.setEncoding("utf8");
    probe.on("data", (text: string) => {
      if (said.length < 1_000) said += text;
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve("dead");
      else if (error.code === "ECONNRESET" || error.code === "EPIPE") resolve("leaves");
      // EAGAIN: so many ask at once that there is no room for one more.
      else if (error.code !== "EAGAIN") reject(error);
    });
    probe.once("close", () => {
      limit[Symbol.dispose]();
      resolve({ said });
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
