import { parseArgs } from "node:util";

export interface Flags {
  readonly json: boolean;
  readonly rounds: number;
  /** Another Node for the jump host. */
  readonly node: string | undefined;
  /** Cases to be run; empty: all. */
  readonly only: readonly string[];
  /** For each direction of the bulk cases, in MiB. */
  readonly mib: number;
  /** Of lazyssh. 0: it serves by itself. */
  readonly workers: number;
}

export const USAGE = `npm run bench -- [--rounds N] [--only CASE,CASE] [--node PATH] [--mib N] [--workers N] [--json]

Measures lazyssh beside OpenSSH's sshd, in rounds that alternate, and prints medians of the ratios.

  --rounds N       how often each case is run (5)
  --only CASE      bulk, layers, distance, streams, connect, idle, replicate, start or cold; several with commas
  --node PATH      another node for lazyssh than this one; ssh2's ciphers are built for it in a copy
  --mib N          how much is moved in the bulk cases (1024)
  --workers N      processes that lazyssh spreads its connections over (0: none but its own)
  --json           figures of all rounds, for programs
`;

/** @throws Error in words when a flag cannot be understood. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      rounds: { type: "string", default: "5" },
      node: { type: "string" },
      only: { type: "string", default: "" },
      mib: { type: "string", default: "1024" },
      workers: { type: "string", default: "0" },
    },
  });
  return {
    json: values.json,
    rounds: positive("--rounds", values.rounds),
    node: values.node,
    only: values.only.split(",").filter(Boolean),
    mib: positive("--mib", values.mib),
    workers: values.workers === "0" ? 0 : positive("--workers", values.workers),
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`${name} needs a whole number above 0, not "${text}"`);
}
