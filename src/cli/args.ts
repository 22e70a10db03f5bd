/** Flags that the Go program, and its users' unit files, write with one dash. */
const SINGLE_DASH = /^-(config|var|state-dir|log-format|log-level|dry-run|help|version)(=.*)?$/s;

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
  const global = ["--help", "--help-all", "--version", "-h", "-H", "-v"].includes(first);
  if (global || commands.includes(first) || !first.startsWith("-")) return normalized;
  return ["serve", ...normalized];
}
