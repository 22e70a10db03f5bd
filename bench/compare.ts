import { type BulkOptions, bulk } from "./cases/bulk.ts";
import { connects, firstByte } from "./cases/connect.ts";
import { CROWDS, idle } from "./cases/idle.ts";
import { replicate } from "./cases/replicate.ts";
import type { Ends } from "./ends.ts";
import type { Figure, Paired } from "./figures.ts";
import { type Keys, type Peer, startLazyssh, startSshd } from "./peers.ts";
import type { Tree } from "./tree.ts";

export interface World {
  readonly keys: Keys;
  readonly tree: Tree;
  readonly ends: Ends;
  readonly rounds: number;
  /** Bytes of a bulk transfer. */
  readonly bytes: number;
  /** Processes that lazyssh spreads its connections over. */
  readonly workers: number;
  /** Told what is being done. */
  readonly progress: (text: string) => void;
}

const GCM = "aes128-gcm@openssh.com";

/** Runs `measure` for both in each round, in turn which is first, and names what it returns. */
async function paired<N extends string>(
  { rounds, progress }: World,
  title: string,
  units: Readonly<Record<N, string>>,
  peers: readonly [Peer, Peer],
  measure: (peer: Peer) => Promise<Readonly<Record<N, number>>>,
): Promise<Paired[]> {
  const names = Object.keys(units) as N[];
  const found = names.map((name) => ({
    name: `${title}${name && `, ${name}`}`,
    unit: units[name],
    lazyssh: [] as number[],
    sshd: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    progress(`${title}: round ${round + 1} of ${rounds}`);
    for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
      const figures = await measure(peer);
      for (const [index, name] of names.entries()) found[index]?.[peer.name].push(figures[name]);
    }
  }
  return found;
}

const BULK_UNITS = { speed: "MB/s", CPU: "s/GB" };

const asFigures = async (options: BulkOptions): Promise<Record<keyof typeof BULK_UNITS, number>> => {
  const { mbPerSecond, cpuPerGb } = await bulk(options);
  return { speed: mbPerSecond, CPU: cpuPerGb };
};

/** Everything that is measured beside sshd, by the name of the case. */
export const CASES: Readonly<Record<string, (world: World) => Promise<readonly Figure[]>>> = {
  bulk: (world) =>
    withPeers(world, async (peers) => {
      const { keys, ends, bytes } = world;
      const endPorts = {
        up: await ends.port({ do: "sink", bytes }),
        down: await ends.port({ do: "source", bytes }),
      };
      const figures: Figure[] = [];
      for (const cipher of [GCM, undefined]) {
        for (const direction of ["up", "down"] as const) {
          const title = `bulk ${direction} ${cipher === undefined ? "default" : "aes128-gcm"}`;
          const options = { keys, bytes, endPort: endPorts[direction], direction, cipher };
          figures.push(
            ...(await paired(world, title, BULK_UNITS, peers, (peer) => asFigures({ ...options, peer }))),
          );
        }
      }
      return figures;
    }),

  layers: (world) =>
    withPeers(world, async (peers) => {
      const { keys, ends, bytes } = world;
      const endPort = await ends.port({ do: "sink", bytes });
      await using inner = await startSshd(keys, "inner");
      const options = { keys, bytes, endPort, direction: "up", cipher: GCM, inner: inner.port } as const;
      return await paired(world, "two layers up", BULK_UNITS, peers, (peer) =>
        asFigures({ ...options, peer }),
      );
    }),

  distance: (world) =>
    withPeers(world, async (peers) => {
      const { keys, ends } = world;
      const bytes = Math.min(world.bytes, 96e6);
      const endPort = await ends.port({ do: "sink", bytes });
      const figures: Figure[] = [];
      for (const rtt of [50, 100]) {
        const through = new Map<Peer, number>();
        for (const peer of peers)
          through.set(peer, await ends.port({ do: "relay", port: peer.port, delayMs: rtt / 2 }));
        const options = { keys, bytes, endPort, direction: "up", cipher: GCM } as const;
        figures.push(
          ...(await paired(world, `up over ${rtt} ms RTT`, BULK_UNITS, peers, (peer) =>
            asFigures({ ...options, peer, through: through.get(peer) ?? peer.port }),
          )),
        );
      }
      return figures;
    }),

  streams: (world) =>
    withPeers(world, async (peers) => {
      const { keys, ends } = world;
      const bytes = Math.round(world.bytes / 4);
      const endPort = await ends.port({ do: "sink", bytes });
      const options = { keys, bytes, endPort, direction: "up", cipher: GCM, streams: 4 } as const;
      return paired(world, "four streams up", BULK_UNITS, peers, (peer) => asFigures({ ...options, peer }));
    }),

  connect: (world) =>
    withPeers(world, async (peers) => {
      const { keys, ends } = world;
      const endPort = await ends.port({ do: "greeter" });
      const first = await paired(world, "first byte", { "": "ms" }, peers, async (peer) => ({
        "": await firstByte({ keys, peer, endPort }),
      }));
      const many = await paired(world, "connections", { rate: "1/s", CPU: "ms" }, peers, async (peer) => {
        const { perSecond, cpuMs } = await connects({ keys, peer, endPort }, 40);
        return { rate: perSecond, CPU: cpuMs };
      });
      return [...first, ...many];
    }),

  idle: async (world) => {
    const { keys, ends, rounds } = world;
    const endPort = await ends.port({ do: "greeter" });
    const names = ["at rest", ...CROWDS.map((count) => `${count} idle connections`)];
    const found = names.map((name) => ({
      name: `memory ${name}`,
      unit: "KiB",
      lazyssh: [] as number[],
      sshd: [] as number[],
    }));
    // Anew in each round, for what a process has once had it may keep.
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      world.progress(`idle: round ${round + 1}`);
      await withPeers(world, async (peers) => {
        for (const peer of peers) {
          const { rest, perConnection } = await idle(keys, peer, endPort);
          for (const [index, value] of [
            rest,
            ...CROWDS.map((count) => perConnection[count] ?? 0),
          ].entries()) {
            found[index]?.[peer.name].push(value);
          }
        }
      });
    }
    return found;
  },

  replicate,
};

async function withPeers<T>(
  { keys, tree, workers }: World,
  run: (peers: readonly [Peer, Peer]) => Promise<T>,
): Promise<T> {
  await using lazyssh = await startLazyssh(keys, tree, workers);
  await using sshd = await startSshd(keys);
  return await run([lazyssh, sshd]);
}
