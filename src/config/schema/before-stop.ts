import { defaulted, optional, required, type Section } from "../decode/row.ts";
import { listOf, no, ok, refined, text } from "../decode/value-type.ts";
import type { BeforeStop } from "../types.ts";
import { positiveDuration, privateKey, publicKey, word } from "./common.ts";

/** An argv list: never a line of shell. */
export const command = refined(listOf(text), "list of strings", (given) =>
  given[0] === undefined || given[0].trim() === ""
    ? no('A command is a list such as ["zpool", "export", "tank"], and its first item the name of a program.')
    : ok(given),
);

const commands = refined(listOf(command), "list of lists of strings", (given) =>
  given.length === 0 ? no("There is no command in it.") : ok(given),
);

const hostKey = publicKey(
  {
    options: "What stands before the key is not used.",
    others: "Only the first key counts; the others are ignored.",
  },
  ({ type }) =>
    type.startsWith("sk-")
      ? "A key on a security token (sk-…) is none that a machine proves itself with."
      : undefined,
);

/** `before_stop { … }` */
export const beforeStopTable = {
  commands: required("commands", commands, "commands, each a list of its words, run one after the other."),
  user: defaulted("user", word, "root", '"root"', "who they are run as."),
  privateKey: required(
    "private_key",
    privateKey,
    "private key that lets this user in, in PEM or OpenSSH format, without a passphrase.",
    { sensitive: true },
  ),
  hostKey: optional(
    "host_key",
    hostKey,
    "public key that the machine proves itself with. Default: any is taken.",
  ),
  timeoutMs: defaulted(
    "timeout",
    positiveDuration,
    120_000,
    '"2m"',
    "how long all commands together may take; then the machine is stopped all the same.",
  ),
};

export function beforeStop([section]: readonly Section<typeof beforeStopTable>[]): BeforeStop | undefined {
  return section?.values;
}
