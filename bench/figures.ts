import { type Summary, summarize } from "./statistics.ts";

/** One figure of a case, as both jump hosts had it in the same rounds. */
export interface Paired {
  readonly name: string;
  readonly unit: string;
  readonly lazyssh: readonly number[];
  readonly sshd: readonly number[];
}

/** One of lazyssh alone. */
export interface Single {
  readonly name: string;
  readonly unit: string;
  readonly lazyssh: readonly number[];
}

export type Figure = Paired | Single;

/** Medians, and of the ratios of each round too: both had the same noise then. */
export function summary(figure: Figure): {
  readonly lazyssh: Summary;
  readonly sshd: Summary | undefined;
  readonly ratio: Summary | undefined;
} {
  const lazyssh = summarize(figure.lazyssh);
  if (!("sshd" in figure)) return { lazyssh, sshd: undefined, ratio: undefined };
  const ratios = figure.lazyssh.map((value, round) => value / (figure.sshd[round] ?? Number.NaN));
  return { lazyssh, sshd: summarize(figure.sshd), ratio: summarize(ratios) };
}

const WIDTHS = [34, 8, 12, 12, 9, 17];

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { lazyssh, sshd, ratio } = summary(figure);
    return [
      figure.name,
      figure.unit,
      short(lazyssh.median),
      sshd ? short(sshd.median) : "",
      ratio ? ratio.median.toFixed(2) : "",
      ratio
        ? `${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}`
        : `${short(lazyssh.min)} to ${short(lazyssh.max)}`,
    ];
  });
  return [["", "", "lazyssh", "sshd", "ratio", "spread"], ...rows]
    .map((cells) =>
      cells
        .map((cell, column) =>
          column < 2 ? cell.padEnd(WIDTHS[column] ?? 0) : cell.padStart(WIDTHS[column] ?? 0),
        )
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

/** Three digits that count. */
function short(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
