import { type ColdConnect, coldConnect } from "./cold-connect.ts";
import type { Summary } from "./statistics.ts";

const ROUNDS = 20;

const json = process.argv.includes("--json");
const result = await coldConnect(ROUNDS);
process.stdout.write(json ? `${JSON.stringify({ coldConnect: result }, undefined, 2)}\n` : table(result));
process.exit(0);

function table(figures: ColdConnect): string {
  const rows: [string, Summary][] = [
    ["ssh to first byte, cold", figures.total],
    ["  machine's own boot", figures.boot],
    ["  ssh to first byte, warm", figures.warm],
    ["  added by lazyssh", figures.added],
    ["  of that after the port opened", figures.afterOpen],
  ];
  const lines = rows.map(([name, { min, median, max }]) =>
    [name.padEnd(34), ...[median, min, max].map((ms) => `${Math.round(ms)}`.padStart(8))].join(""),
  );
  return [
    `Cold connects through lazyssh, ${ROUNDS} rounds, port open 2 s after the order (milliseconds)`,
    ["".padEnd(34), ...["median", "min", "max"].map((head) => head.padStart(8))].join(""),
    ...lines,
    `Start to listening: ${Math.round(figures.startMs)} ms`,
    "",
  ].join("\n");
}
