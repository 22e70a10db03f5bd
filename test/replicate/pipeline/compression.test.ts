import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import {
  type Compression,
  chooseCompression,
  MBUFFER,
  programsOf,
} from "../../../src/replicate/pipeline/compression.ts";
import { remotePipe } from "../../../src/replicate/pipeline/remote-pipe.ts";
import type { Side } from "../../../src/replicate/side.ts";
import { requires } from "../../harness/requires.ts";
import { stubSide } from "../zfs/sides.ts";

const PLAIN = { raw: false, compressed: false, packed: false };
const BOTH = ["zstd", "lz4", "mbuffer"];

it.each([
  ["auto", BOTH, BOTH, PLAIN, "zstd"],
  ["auto", BOTH, ["lz4"], PLAIN, "lz4"],
  ["auto", ["zstd"], ["lz4"], PLAIN, undefined],
  ["auto", BOTH, BOTH, { ...PLAIN, raw: true }, undefined],
  ["auto", BOTH, BOTH, { ...PLAIN, compressed: true }, undefined],
  ["auto", BOTH, BOTH, { ...PLAIN, packed: true }, undefined],
  ["none", BOTH, BOTH, PLAIN, undefined],
  ["lz4", BOTH, BOTH, PLAIN, "lz4"],
  ["zstd", BOTH, BOTH, { raw: true, compressed: true, packed: true }, "zstd"],
] as const)(
  "compresses, when %s is wanted, with %s here, %s there and a stream %o, by %s",
  (want, source, target, stream, name) => {
    expect(chooseCompression({ want, source, target, stream })?.name).toBe(name);
  },
);

it("says on which side the program that was asked for is missing", () => {
  const ask = (source: string[], target: string[]) => () =>
    chooseCompression({ want: "zstd", source, target, stream: PLAIN });
  expect(ask(["lz4"], BOTH)).toThrow(/not on the PATH of the sending side; install zstd there/);
  expect(ask(BOTH, [])).toThrow(/of the receiving side/);
  expect(ask([], [])).toThrow(/of the sending and the receiving side/);
});

const here = (script?: string): Side => ({
  name: "archiver",
  remote: false,
  command: (argv) => argv,
  run: async ([program = "", ...args]) => {
    const { status, stdout, stderr } = spawnSync(program, script ? ["-c", script] : args);
    return {
      status: status ?? undefined,
      signal: undefined,
      stdout: stdout.toString(),
      stderr: stderr.toString(),
    };
  },
});

it("asks a side for its programs", async () => {
  const { signal } = new AbortController();
  expect(await programsOf(here(), ["lazyssh-no-such-program", "sh", "cat"], signal)).toEqual(["sh", "cat"]);
  await expect(programsOf(here("echo no shell for you >&2; exit 1"), ["zstd"], signal)).rejects.toThrow(
    "cannot ask archiver which of zstd it has: sh exited with status 1: no shell for you",
  );
});

requires(
  "zstd",
  "lz4",
  "mbuffer",
)("unpacks on the other side what was packed on this one", () => {
  const data = Buffer.alloc(3_000_000, "some data that can be made smaller ");
  for (const want of ["zstd", "lz4"] as const) {
    const { compress, decompress } = chooseCompression({
      want,
      source: BOTH,
      target: BOTH,
      stream: PLAIN,
    }) as Compression;
    const run = ([program = "", ...args]: readonly string[], input: Buffer) =>
      spawnSync(program, args, { input, maxBuffer: 2 * data.length });
    const packed = run(compress, data).stdout;
    expect(packed.length).toBeLessThan(data.length / 10);
    const receive = remotePipe([decompress, MBUFFER, ["cat"]]);
    const whole = run(receive, packed);
    expect([whole.status, whole.stderr.toString(), whole.stdout.equals(data)]).toEqual([0, "", true]);
    expect(run(receive, packed.subarray(0, packed.length / 2)).status).not.toBe(0);
  }
});

it("tells a connection that was lost from a side that cannot be asked", async () => {
  const stderr = "kex_exchange_identification: Connection closed by remote host\n";
  const { side } = stubSide(() => ({ status: 255, stderr }));
  const signal = new AbortController().signal;
  await expect(programsOf(side, ["zstd"], signal)).rejects.toMatchObject({ kind: "lost" });
});
