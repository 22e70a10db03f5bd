import { execFileSync } from "node:child_process";
import { cpus, release } from "node:os";
import { coldConnect } from "./cold-connect.ts";
import { coldTable } from "./cold-table.ts";
import { CASES } from "./compare.ts";
import { startEnds } from "./ends.ts";
import { type Figure, summary, table } from "./figures.ts";
import { type Flags, readFlags, USAGE } from "./flags.ts";
import { makeKeys } from "./peers.ts";
import { start } from "./start.ts";
import { treeFor } from "./tree.ts";

const COLD_ROUNDS = 20;

async function main(flags: Flags): Promise<void> {
  const wanted = (name: string): boolean => flags.only.length === 0 || flags.only.includes(name);
  const progress = (text: string): void =>
    void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`));
  using keys = makeKeys();
  using tree = treeFor(flags.node);
  const about = `lazyssh on Node ${tree.version} beside ${version("ssh", "-V")}, ${cpus().length} CPUs (${cpus()[0]?.model}), Linux ${release()}`;
  const figures: Figure[] = [];
  {
    await using ends = startEnds();
    const { rounds, workers, mib } = flags;
    const world = { keys, tree, ends, rounds, workers, bytes: mib * 1024 * 1024, progress };
    for (const [name, run] of Object.entries(CASES)) if (wanted(name)) figures.push(...(await run(world)));
    if (wanted("start")) figures.push(...(await start(keys, tree, flags.rounds)));
  }
  const cold = wanted("cold") ? await coldConnect(COLD_ROUNDS) : undefined;
  progress("");
  if (flags.json) {
    const named = figures.map((figure) => ({ ...figure, ...{ summary: summary(figure) } }));
    process.stdout.write(`${JSON.stringify({ about, figures: named, coldConnect: cold }, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(`${about}\nMedians of ${flags.rounds} rounds; the ratio is lazyssh to sshd.\n\n`);
  if (figures.length > 0) process.stdout.write(`${table(figures)}\n\n`);
  if (cold) process.stdout.write(coldTable(cold, COLD_ROUNDS));
}

/** `ssh -V` writes to standard error. */
function version(program: string, flag: string): string {
  return (
    execFileSync("sh", ["-c", `${program} ${flag} 2>&1`], { encoding: "utf8" })
      .split(",")[0]
      ?.trim() ?? ""
  );
}

if (process.argv.includes("--help")) {
  process.stdout.write(USAGE);
  process.exit(0);
}
try {
  await main(readFlags(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
