const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 24 * 3600e9,
  w: 7 * 24 * 3600e9,
};
const WHOLE = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;
const WHOLE_LONG = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w))+$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)/g;
const LONGEST_NANOSECONDS = 2 ** 63;

export type Duration = { readonly ms: number } | { readonly problem: string };

/** Reads a duration as Go's `time.ParseDuration` does: `1h30m`, `1.5h`, `300ms`, `0`, `+5s`. Milliseconds. */
export function parseDuration(text: string): Duration {
  return parse(text, WHOLE, '"30s", "15m" or "1h30m" is needed (units: ms, s, m, h).');
}

/** The same with `d`, days of 24 hours, and `w`, weeks: `30d`, `1w2d`. */
export function parseLongDuration(text: string): Duration {
  return parse(text, WHOLE_LONG, '"15m", "25h" or "30d" is needed (units: ms, s, m, h, d, w).');
}

function parse(text: string, whole: RegExp, needed: string): Duration {
  if (/^[+-]?0$/.test(text)) return { ms: 0 };
  if (!whole.test(text)) {
    const hint = /^[+-]?\d+$/.test(text)
      ? `The unit is missing: "${text}s" are seconds, "${text}m" minutes.`
      : "";
    return { problem: `A duration such as ${needed} ${hint}`.trim() };
  }
  let nanoseconds = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(PART)) {
    nanoseconds += Math.round(Number(amount) * (NANOSECONDS[unit] ?? 0));
  }
  if (nanoseconds >= LONGEST_NANOSECONDS) return { problem: "The longest duration is 292 years." };
  if (text.startsWith("-") && nanoseconds > 0) return { problem: "A duration must not be negative." };
  return { ms: nanoseconds / 1e6 };
}
