/** Flags that the Go program, and its users' unit files, write with one dash. */
const SINGLE_DASH = /^-(config|var|state-dir|log-format|log-level|dry-run|help|version)(=.*)?$/s;

/** Flags that `ssh` has as well, and takes with what follows in one word: `-Jlazyssh`, `-p2222`. */
const LIKE_SSH = /^(-[FiJopl])(.+)$/s;

/**
 * What the user typed, in the form the commands take: `-config FILE` as the Go program had it becomes `--config FILE`,
 * and without a command name the server is meant, so that `lazyssh -config FILE` goes on working.
 */
export function normalizeArguments(args: readonly string[], commands: readonly string[]): string[] {
  const end = args.indexOf("--");
  const flags = end === -1 ? args : args.slice(0, end);
  const dashed = flags.map((arg) => (SINGLE_DASH.test(arg) ? `-${arg}` : arg));
  const normalized = [...dashed, ...(end === -1 ? [] : args.slice(end))];
  const [first] = normalized;
  if (first === undefined) return ["serve"];
  if (first === "replicate") return normalizeReplicate(normalized);
  const global = ["--help", "--help-all", "--version", "-h", "-H", "-v"].includes(first);
  if (global || commands.includes(first) || !first.startsWith("-")) return normalized;
  return ["serve", ...normalized];
}

function normalizeReplicate([command = "", ...args]: readonly string[]): string[] {
  const apart = args.flatMap((arg) => LIKE_SSH.exec(arg)?.slice(1) ?? [arg]);
  const [first = ""] = apart;
  // The help is that of what is run without the name of another command; it needs a word to get there.
  const alone = ["--help", "-h", "--help-all", "-H"].includes(first);
  return alone ? [command, "JOB", ...apart] : [command, ...apart];
}
