import { readdirSync, readFileSync } from "node:fs";

/** What the system lets the process have open. */
export interface OpenFiles {
  /** Most descriptors at once. Node raises the soft limit to the hard one when it starts. */
  readonly limit: number;
  /** Open now. */
  readonly used: number;
}

/** Where the system does not tell: what the smallest systems allow, and a process at rest has. */
const UNKNOWN: OpenFiles = { limit: 1_024, used: 32 };

/** Reads both where there is a `/proc`; elsewhere the limit comes from Node's own report. */
export function openFiles(): OpenFiles {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    if (!line) return UNKNOWN;
    const limit = line[1] === "unlimited" ? Number.POSITIVE_INFINITY : Number(line[1]);
    return { limit, used: readdirSync("/proc/self/fd").length };
  } catch {
    return { ...UNKNOWN, limit: reported() };
  }
}

/** As far as it is read here. */
interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | "unlimited" } };
}

function reported(): number {
  const report: Report | undefined = process.report?.getReport();
  const soft = report?.userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : UNKNOWN.limit;
}
