const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Bytes for people, in powers of 1024: `512 B`, `21.3 MiB`, `3.4 GiB`. */
export function formatBytes(bytes: number): string {
  let amount = Math.max(bytes, 0);
  let unit = 0;
  // What would be rounded to 1024.0 is one of the next unit.
  while (amount >= (unit === 0 ? 1_024 : 1_023.95) && unit < UNITS.length - 1) {
    amount /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}
