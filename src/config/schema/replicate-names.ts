import { listOf, no, ok, refined, text } from "../decode/value-type.ts";

/** Source: zfs(8), "zfs_max_dataset_name_len". */
const LONGEST_DATASET = 255;
const COMPONENT = /^[A-Za-z0-9_.: -]+$/;
const GLOB_WORDS = '"*" stands for any characters, "?" for one.';

/** What is wrong with the name of a dataset, if anything. Source: OpenZFS, `dataset_namecheck` and `pool_namecheck`. */
export function datasetProblem(name: string): string | undefined {
  const [pool = "", ...others] = name.split("/");
  const odd = [pool, ...others].find((part) => !COMPONENT.test(part) || part === "." || part === "..");
  if (name === "") return "It must not be empty.";
  if (name.includes("@")) return 'A dataset is needed, not a snapshot: leave out "@" and what follows it.';
  if (name.includes("#")) return 'A dataset is needed, not a bookmark: leave out "#" and what follows it.';
  if (name.startsWith("/"))
    return 'A dataset such as "tank/home" has no "/" at its beginning, as paths have.';
  if (name.endsWith("/")) return 'A dataset has no "/" at its end.';
  if (odd === "") return 'There is nothing between two "/".';
  if (odd !== undefined)
    return `Between "/", the name of a dataset has letters, digits, "_", "-", ".", ":" and spaces, and is neither "." nor "..".`;
  if (!/^[A-Za-z]/.test(pool)) return "The name of a pool begins with a letter.";
  if (name.length > LONGEST_DATASET)
    return `The name of a dataset has at most ${LONGEST_DATASET} characters, and this has ${name.length}.`;
  return undefined;
}

export const dataset = refined(text, "dataset", (given) => {
  const problem = datasetProblem(given);
  return problem === undefined ? ok(given) : no(problem);
});

const datasetGlob = refined(text, "string", (given) => {
  // With a letter in place of each wildcard it has to be a name.
  const problem = datasetProblem(given.replace(/[*?]/g, "a"));
  return problem === undefined ? ok(given) : no(`${problem} ${GLOB_WORDS}`);
});

export const datasetGlobs = listOf(datasetGlob);

const snapshotGlob = refined(text, "string", (given) => {
  if (given === "") return no("It must not be empty.");
  if (given.includes("@"))
    return no('A pattern is for what stands after the "@" of a snapshot: leave out the dataset and the "@".');
  return COMPONENT.test(given.replace(/[*?]/g, "a"))
    ? ok(given)
    : no(
        `The name of a snapshot has letters, digits, "_", "-", ".", ":" and spaces, and no pattern with other characters matches it. ${GLOB_WORDS}`,
      );
});

export const snapshotGlobs = listOf(snapshotGlob);

export const someSnapshotGlobs = refined(snapshotGlobs, snapshotGlobs.name, (given) =>
  given.length === 0
    ? no("Without any pattern no snapshot would be sent: leave it out to send all.")
    : ok(given),
);

/** Words that stand after `lazyssh replicate` and are no jobs. */
const RESERVED = ["check", "history", "restore"];

/** What is wrong with the name of a job, if anything. It becomes part of names of files and holds, and a word of command lines. */
export function jobNameProblem(name: string): string | undefined {
  if (!/^\w[\w.-]{0,63}$/.test(name))
    return 'The name of a job has 1 to 64 letters, digits, ".", "_" and "-", and begins with a letter, a digit or "_".';
  if (RESERVED.includes(name)) return `"lazyssh replicate ${name}" is a command: take another name.`;
  return undefined;
}
