import type { ColdConnect } from "./cold-connect.ts";
import type { Summary } from "./statistics.ts";

export function coldTable(figures: ColdConnect, rounds: number): string {
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
    `Cold connects through lazyssh, ${rounds} rounds, port open 2 s after the order (milliseconds)`,
    ["".padEnd(34), ...["median", "min", "max"].map((head) => head.padStart(8))].join(""),
    ...lines,
    "",
  ].join("\n");
}
