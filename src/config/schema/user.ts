import { type AuthorizedKey, USER_COMMANDS, type UserCommand, type UserConfig } from "../access.ts";
import { splitLine } from "../authorized-keys/line.ts";
import { NO_OPTIONS } from "../authorized-keys/options.ts";
import { type KeysRead, readAuthorizedKeys } from "../authorized-keys/read.ts";
import { defaulted, optional, type Section } from "../decode/row.ts";
import {
  type Conversion,
  listOf,
  no,
  ok,
  oneOf,
  type Remark,
  refined,
  text,
  wholeNumber,
} from "../decode/value-type.ts";
import { weakness } from "../ssh-key/public-key.ts";
import { path, word } from "./common.ts";
import { MOST_MACHINES } from "./machine.ts";

type Keys = readonly AuthorizedKey[];

/** Longer than any name of a target. */
const LONGEST_PATTERN = 255;

const authorizedKeys = refined(listOf(text), "list of public keys", (items) => {
  const reads = items.map((item, index) => readAuthorizedKeys(item, placeIn("authorized_keys", item, index)));
  return taken(reads);
});

const authorizedKeysFile = refined(path, "path", (given, files) => {
  const read = files.text(given);
  if ("problem" in read) return no(read.problem);
  const writable = files.writableByOthers(read.path);
  const open = writable && {
    summary: "Keys that others can change",
    detail: `"${writable}" can be written by its group or by everybody: whoever can may let himself in. Run: chmod go-w ${writable}`,
  };
  const keys = readAuthorizedKeys(read.content, (line) => `${read.path} line ${line}`);
  return taken([keys], open ? [open] : []);
});

const trustedUserCaKeys = refined(listOf(text), "list of public keys", (items) => {
  const keys: AuthorizedKey[] = [];
  for (const [index, item] of items.entries()) {
    const place = placeIn("trusted_user_ca_keys", item, index);
    for (const [at, raw] of item.split("\n").entries()) {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) continue;
      const read = authorityOf(line, place(at + 1));
      if ("problem" in read) return no(`Item ${index + 1}: ${read.problem}`);
      keys.push(read.key);
    }
  }
  return ok<Keys>(keys);
});

const patterns = refined(listOf(word), "list of strings", (given) =>
  given.some((one) => one.length > LONGEST_PATTERN)
    ? no(`A pattern has at most ${LONGEST_PATTERN} characters.`)
    : ok(given),
);

const commands = refined(listOf(oneOf(...USER_COMMANDS)), "list of strings", (given) =>
  ok<readonly UserCommand[]>([...new Set(given)]),
);

/** `user "<name>" { … }` */
export const userTable = {
  authorizedKeys: optional(
    "authorized_keys",
    authorizedKeys,
    "public keys that may log in, each as a line of authorized_keys, with options.",
  ),
  authorizedKeysFile: optional(
    "authorized_keys_file",
    authorizedKeysFile,
    "file with more of them, in the format of authorized_keys.",
  ),
  trustedUserCaKeys: optional(
    "trusted_user_ca_keys",
    trustedUserCaKeys,
    "public keys of authorities: whoever has a certificate by one of them, with the name of the user among its principals, may log in.",
  ),
  targets: optional(
    "targets",
    patterns,
    "names of targets that the user may reach; `*` and `?` stand for any characters. Default: all.",
  ),
  commands: defaulted(
    "commands",
    commands,
    USER_COMMANDS,
    "all",
    "what the user may have done by `ssh lazyssh COMMAND`: `status`, `start`, `stop`.",
  ),
  maxMachines: optional(
    "max_machines",
    wholeNumber(1, MOST_MACHINES),
    "how many machines may exist at once that the user has asked for. Default: any number.",
  ),
};

export function userConfig({ values, labels: [name = ""] }: Section<typeof userTable>): UserConfig {
  const { authorizedKeys, authorizedKeysFile, trustedUserCaKeys, ...others } = values;
  const keys = [...(authorizedKeys ?? []), ...(authorizedKeysFile ?? []), ...(trustedUserCaKeys ?? [])];
  return { name, keys, ...others };
}

/** More of them in one place would push out what else there is to tell. */
const MOST_REFUSALS = 20;

function taken(reads: readonly KeysRead[], more: readonly Remark[] = []): Conversion<Keys> {
  const refused = reads.flatMap((read) => read.refused);
  const rest = refused.length - MOST_REFUSALS;
  const remarks = reads.flatMap((read) => read.remarks).slice(0, MOST_REFUSALS);
  return {
    ok: true,
    value: reads.flatMap(({ keys }) => keys),
    remarks: [
      ...refused.slice(0, MOST_REFUSALS).map((detail) => ({ summary: "Key may not log in", detail })),
      ...(rest > 0
        ? [{ summary: "Key may not log in", detail: `Nor may those of ${rest} more lines.` }]
        : []),
      ...remarks.map((detail) => ({ summary: "Option without effect", detail })),
      ...more,
    ],
  };
}

/** A line is named only where the item has several. */
function placeIn(name: string, item: string, index: number): (line: number) => string {
  const place = `${name} item ${index + 1}`;
  return item.trim().includes("\n") ? (line) => `${place} line ${line}` : () => place;
}

function authorityOf(
  line: string,
  source: string,
): { readonly key: AuthorizedKey } | { readonly problem: string } {
  const split = splitLine(line);
  if ("problem" in split) {
    const hint = /\s/.test(line) ? "" : ' A path is not read: write file("PATH") for what is in a file.';
    return { problem: `${split.problem}${hint}` };
  }
  if ("problem" in split.key) return split.key;
  if (split.options !== "")
    return {
      problem:
        'Options are not taken here: write the key into authorized_keys, with "cert-authority" among them.',
    };
  const { key } = split.key;
  const weak = weakness(key);
  // Where no options are, the certificate alone says whether a security key must be touched, as with sshd's TrustedUserCAKeys.
  const options = { ...NO_OPTIONS, touchRequired: false };
  return weak ? { problem: weak } : { key: { ...options, key, source, certAuthority: true } };
}
