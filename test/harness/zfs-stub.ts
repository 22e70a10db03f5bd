import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One way to call a command of `zfs`, as its usage has it. */
export interface Form {
  readonly command: string;
  /** Flags without a value, a letter each. */
  readonly flags: string;
  /** Flags with one. */
  readonly valued: string;
  /** Flags that make this form: without them it is another. */
  readonly required: string;
  /** What the last word has in it: "@", "#", "/" for neither of them, or "-" where it does not matter. */
  readonly mark: string;
  /** How many words may follow them. */
  readonly least: number;
  readonly most: number;
}

/** All that the usage of `zfs` allows: every line of it, each a form of its own. What it has no short flags for (`--redact`) is left out. */
export function readUsage(usage: string): Form[] {
  const [, text = ""] = /following:\n([\s\S]*?)\nEach dataset/.exec(usage) ?? [];
  return text
    .replaceAll(/\n\t {4}/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.includes(" --"))
    .map(readForm);
}

function readForm(line: string): Form {
  const command = /^\S+/.exec(line)?.[0] ?? "";
  let rest = ` ${line.slice(command.length)} `.replaceAll(/"(\w+)"/g, "$1");
  let flags = "";
  let valued = "";
  let required = "";
  const take = (pattern: RegExp, taken: (found: string) => void, left = " ") => {
    rest = rest.replaceAll(pattern, (_, found: string) => {
      taken(found);
      return left;
    });
  };
  // "[-[i|I] snapshot]"
  take(/\[-\[([\w|]+)\] [^\]]+\]/g, (letters) => {
    valued += letters.replaceAll("|", "");
  });
  // "[-d | -e]", "[-r|-d max]"
  take(/\[(-\w(?: \w+)?(?: ?\| ?-\w(?: \w+)?)+)\]/g, (either) => {
    for (const [, letter = "", value] of either.matchAll(/-(\w)( \w+)?/g)) {
      if (value === undefined) flags += letter;
      else valued += letter;
    }
  });
  // "<-a | filesystem>" is a flag in the place of a word.
  take(
    /<-(\w) (?:\[\S+ )?\| (?:\S+ \.\.\.|\S+)>/g,
    (letter) => {
      flags += letter;
    },
    " [word] ",
  );
  // "[-o <property>=<value>] ...", "[-t type[,...]]", "[-i snapshot|bookmark]"
  take(/\[-(\w+) (?:[^[\]]|\[[^\]]*\])+\](?: ?\.\.\.)?/g, (letter) => {
    valued += letter;
  });
  take(/\[-(\w+)\]/g, (letters) => {
    flags += letters;
  });
  // "-t <receive_resume_token>" has its value, and there is no other word.
  if (/^ +-t </.test(rest)) {
    take(/ -(t) <[^>]+>/g, (letter) => {
      valued += letter;
      required += letter;
    });
  }
  take(/ -(\w)(?= )/g, (letter) => {
    flags += letter;
    required += letter;
  });
  const [, mark] = /<filesystem\|volume>(?:([@#])<\w+>(?:\[\S+\])*)? *$/.exec(rest) ?? ["", "-"];
  const optional = rest.match(/\[[^\]]+\]/g)?.length ?? 0;
  const needed = rest
    .replaceAll(/\[(?:[^[\]]|\[[^\]]*\])*\]/g, " ")
    .replaceAll(/<[^>]*>(?:@<[^>]*>|#<[^>]*>)?/g, "word")
    .split(/\s+/)
    .filter((word) => /^\w/.test(word)).length;
  const more = rest.includes("...") ? Number.POSITIVE_INFINITY : needed + optional;
  return { command, flags, valued, required, mark: mark ?? "/", least: needed, most: more };
}

/** `zfs` calls some of its commands by two names. */
const ALIASES: Readonly<Record<string, string>> = { recv: "receive", umount: "unmount", snap: "snapshot" };

export interface ZfsStub {
  readonly path: string;
  /** What it was asked, argv without its own name; since the last time. */
  asked(): readonly (readonly string[])[];
  /** What it prints when it is asked for something that begins with these words; nothing by default. The last one that fits counts. */
  answers(words: string, stdout: string): void;
}

/**
 * A program that stands for `zfs` where there is none: it has no pools, writes down what it is asked, and takes only what the usage says
 * exists. What it does not take it refuses as `zfs` does, with status 2. Each flag stands before all other words, and what is asked without
 * words, or with `get` alone, is answered with what was recorded.
 */
export function writeZfsStub(
  folder: string,
  {
    usage,
    properties,
    silent = {},
  }: {
    readonly usage: string;
    readonly properties: string;
    /** By command, flags without a value that are not in the usage, and work all the same. */
    readonly silent?: Readonly<Record<string, string>>;
  },
): ZfsStub {
  const path = join(folder, "zfs");
  const log = join(folder, "zfs.asked");
  const answers = join(folder, "zfs.answers");
  const forms = join(folder, "zfs.forms");
  const text = { [log]: "", [answers]: "", [`${path}.usage`]: usage, [`${path}.get`]: properties };
  for (const [file, content] of Object.entries(text)) writeFileSync(file, content);
  const lines = readUsage(usage).map(({ command, flags, valued, required, mark, least, most }) => {
    const options = `:${flags}${silent[command] ?? ""}${[...valued].map((letter) => `${letter}:`).join("")}`;
    return `${command} ${options} ${[...required].join(",") || "-"} ${mark} ${least} ${Number.isFinite(most) ? most : 9999}\n`;
  });
  writeFileSync(forms, lines.join(""));
  const alias = Object.entries(ALIASES).map(([name, command]) => `${name}) command=${command} ;;`);
  writeFileSync(
    path,
    `#!/bin/sh
{ for word do printf '%s\\t' "$word"; done; echo; } >>'${log}'
[ $# -gt 0 ] || { cat '${path}.usage' >&2; exit 2; }
[ "$*" != get ] || { cat '${path}.get' >&2; exit 2; }
all=$* command=$1 bad=
case $1 in ${alias.join(" ")} esac
shift
takes() {
  options=$1 required=$2 mark=$3 least=$4 most=$5 seen= last=
  shift 5
  OPTIND=1
  while getopts "$options" flag; do
    case $flag in "?" | :) bad="invalid option '$OPTARG'"; return 1 ;; esac
    seen="$seen$flag"
  done
  shift $((OPTIND - 1))
  for flag in $(echo "$required" | tr ,- '  '); do
    case $seen in *"$flag"*) ;; *) bad="no -$flag"; return 1 ;; esac
  done
  for last do :; done
  case $mark$last in
    -* | /* | @*@* | "#"*"#"*) ;;
    *) bad="'$last' is no such thing"; return 1 ;;
  esac
  case $mark$last in /*[@#]*) bad="'$last' is no such thing"; return 1 ;; esac
  [ $# -ge "$least" ] && [ $# -le "$most" ] || { bad="wrong number of words"; return 1; }
}
found=
while read -r name options required mark least most; do
  [ "$name" = "$command" ] || continue
  bad=\${bad:-}
  takes "$options" "$required" "$mark" "$least" "$most" "$@" && { found=1; break; }
done <'${forms}'
[ "$found" ] || { echo "\${bad:-unrecognized command '$command'}" >&2; echo "usage:" >&2; exit 2; }
answer=
while IFS='	' read -r words file; do
  case "$all" in "$words"*) answer=$file ;; esac
done <'${answers}'
[ -z "$answer" ] || cat "$answer"
`,
    { mode: 0o755 },
  );
  let count = 0;
  return {
    path,
    asked() {
      const all = readFileSync(log, "utf8");
      writeFileSync(log, "");
      return all
        .split("\n")
        .filter((line, at, whole) => line !== "" || at < whole.length - 1)
        .map((line) => line.split("\t").slice(0, -1));
    },
    answers(words, stdout) {
      const file = join(folder, `zfs.answer-${++count}`);
      writeFileSync(file, stdout);
      writeFileSync(answers, `${readFileSync(answers, "utf8")}${words}\t${file}\n`);
    },
  };
}
