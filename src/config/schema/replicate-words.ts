import { listOf, no, ok, refined, text } from "../decode/value-type.ts";
import type { ConfigFiles } from "../files.ts";
import { parseSize } from "./common.ts";

const CONTROL = /\p{Cc}/u;

/** Hosts are put into command lines by `ssh` itself (`%h`), so that what a shell would understand is no part of one. */
const HOST = /^[A-Za-z0-9_.:%[\]-]+$/;
const USER = /^[^\s\p{Cc}'"`$\\;&<>|(){}]+$/u;
const NO_DASH = 'It must not begin with "-": ssh would take it for an option.';

/** What is wrong with a host as it is given to `ssh`, `HOST` or `USER@HOST`, if anything. */
export function hostProblem(given: string): string | undefined {
  const at = given.lastIndexOf("@");
  const [user, host] = at === -1 ? [undefined, given] : [given.slice(0, at), given.slice(at + 1)];
  if (host === "") return "The name of a host must not be empty.";
  if (given.startsWith("-") || host.startsWith("-")) return NO_DASH;
  if (!HOST.test(host))
    return 'A host of the ssh config, a name or an address is needed: letters, digits, "_", "-", "." and ":".';
  return user === undefined ? undefined : userProblem(user);
}

function userProblem(given: string): string | undefined {
  if (given.startsWith("-")) return NO_DASH;
  return USER.test(given) ? undefined : "The name of a user has no white space, quotes, or signs of a shell.";
}

export const host = refined(text, "string", (given) => fits(given, hostProblem(given)));
export const user = refined(text, "string", (given) => fits(given, userProblem(given)));

/** As after `-J`: one host or several, each perhaps with a user and a port. */
export const jump = refined(text, "string", (given) =>
  fits(
    given,
    given
      .split(",")
      .map((one) => hostProblem(one.trim()))
      .find((problem) => problem !== undefined),
  ),
);

const sshOption = refined(text, "string", (given) =>
  /^[A-Za-z][A-Za-z0-9]*\s*[\s=]\s*\S/.test(given) && !CONTROL.test(given)
    ? ok(given)
    : no('An option is written as after "-o" of ssh, such as "Compression=no".'),
);

export const sshOptions = listOf(sshOption);

/** A file for `ssh`, which does not expand `~/` itself where no shell has done so. `none`, `%d/…` and `~user/…` are ssh's to read. */
export const sshFile = refined(text, "path", (given, files) => {
  if (given.trim() === "") return no("A path must not be empty.");
  if (CONTROL.test(given)) return no("A path must not hold control characters.");
  return ok(given === "none" || /^(?:%|~[^/])/.test(given) ? given : files.resolve(given));
});

/** A program of this machine: a name is found through PATH, anything with a "/" is a path. */
export const program = refined(text, "string", (given, files) => {
  const problem = programProblem(given);
  return problem === undefined ? ok(located(given, files)) : no(problem);
});

/** A program of the other machine. */
export const remoteProgram = refined(text, "string", (given) => fits(given, programProblem(given)));

function programProblem(given: string): string | undefined {
  if (given.trim() === "") return "The name of a program must not be empty.";
  if (given.startsWith("-")) return 'The name of a program must not begin with "-".';
  return CONTROL.test(given) ? "The name of a program must not hold control characters." : undefined;
}

function located(given: string, files: ConfigFiles): string {
  return given.includes("/") ? files.resolve(given) : given;
}

/** A command of the other machine. */
export const remoteCommand = refined(listOf(text), "list of strings", (given) => {
  const problem = commandProblem(given);
  return problem === undefined ? ok(given) : no(problem);
});

/** A command of this machine. */
export const command = refined(listOf(text), "list of strings", (given, files) => {
  const [first = "", ...others] = given;
  const problem = commandProblem(given);
  return problem === undefined ? ok([located(first, files), ...others]) : no(problem);
});

function commandProblem([first, ...others]: readonly string[]): string | undefined {
  if (first === undefined || first.trim() === "")
    return 'A command is a list such as ["zpool", "export", "backup"], and its first item the name of a program.';
  if (others.some((word) => word.includes("\0"))) return "A command must not hold a character \\u0000.";
  return programProblem(first);
}

const LEAST_RATE = 1024;
const MOST_RATE = 1024 ** 4;

/** Bytes a second. */
export const rate = refined(text, "size", (given) => {
  const result = parseSize(given.trim().replace(/\s*\/\s*s$/, ""));
  if (!result.ok)
    return no('A size such as "20MiB" is needed, which is for a second (units: KiB, MiB, GiB).');
  return result.value >= LEAST_RATE && result.value <= MOST_RATE
    ? result
    : no('It must be between "1KiB" and "1024GiB" a second.');
});

function fits(given: string, problem: string | undefined) {
  return problem === undefined ? ok(given) : no(problem);
}
