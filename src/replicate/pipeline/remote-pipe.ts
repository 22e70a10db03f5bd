import { quote } from "../../util/shell.ts";

/**
 * Stages joined by a shell, as one command: the shell's own pipes, where there is no lazyssh to stand between them. Its exit
 * status is 0 when every stage's is, else that of the first that failed (one that merely lost its reader counts last), and
 * its stderr names each that failed. Any POSIX shell does: there is no `pipefail` in it.
 *
 * A stage that fails here ends the input of the next, as in every shell, and so does a connection that is cut. `zfs recv` is not misled by it: a stream has a
 * record of its own for its end, with a checksum, and without it the receive fails. All statuses count nevertheless.
 */
export function remotePipe(stages: readonly (readonly string[])[]): readonly string[] {
  const [only, ...others] = stages;
  if (only === undefined) throw new RangeError("a pipe needs a stage");
  return others.length === 0 ? only : ["sh", "-c", scriptOf(stages)];
}

/**
 * Each stage writes its number and status to descriptor 4, in the order in which they end; the last one's output goes to 3,
 * the shell's own. The stages themselves have neither, so that none keeps them open. One that never got to say its
 * status has failed.
 */
function scriptOf(stages: readonly (readonly string[])[]): string {
  const last = stages.length - 1;
  const parts = stages.map((argv, index) => {
    const output = index === last ? " >&3" : "";
    return `{ ${quote(argv)}${output} 3>&- 4>&-; echo "${index} $?" >&4; }`;
  });
  const names = stages.map((argv, index) => `${index}) name=${quote(argv.slice(0, 1))};;`);
  return [
    "exec 3>&1",
    `set -- $( { ${parts.join(" | ")}; } 4>&1 )`,
    `told=0 worst=0`,
    `while [ $# -ge 2 ]; do`,
    `  told=$((told + 1))`,
    `  if [ "$2" -ne 0 ]; then`,
    `    case $1 in ${names.join(" ")} esac`,
    `    echo "$name exited with status $2" >&2`,
    // 141: ended by SIGPIPE.
    `    if [ "$worst" -eq 0 ] || { [ "$worst" -eq 141 ] && [ "$2" -ne 141 ]; }; then worst=$2; fi`,
    `  fi`,
    `  shift 2`,
    `done`,
    `if [ "$worst" -eq 0 ] && [ "$told" -ne ${stages.length} ]; then`,
    `  echo "a stage was ended before its status was known" >&2`,
    `  worst=1`,
    `fi`,
    `exit "$worst"`,
  ].join("\n");
}
