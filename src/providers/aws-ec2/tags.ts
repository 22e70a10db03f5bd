import type { Tag } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Notes } from "../provider.ts";

/** Tags by which our machines are found again; `owner` is this server, `launch` the token of one launch. */
export const TAG = {
  owner: "lazyssh:owner",
  target: "lazyssh:target",
  launch: "lazyssh:launch",
} as const;

/** What lazyssh writes on machines are tags with this before their key. */
const NOTE_PREFIX = "lazyssh:";
/** Tags that say whose a machine is are no notes: they never change. */
const FIXED_TAGS: ReadonlySet<string> = new Set(Object.values(TAG));
/** The first is the contract's, see `Notes`; EC2 itself allows more. The second is EC2's. */
const NOTE_KEY = /^[a-z0-9:-]{1,100}$/;
const LONGEST_VALUE = 256;

/** The tags of everything that one launch makes. */
export function launchTags(target: AwsEc2Target, owner: string, token: string): Tag[] {
  // Ours come last, so that no tag of the user's can take a machine out of our sight.
  const tags = {
    Name: target.name,
    ...target.tags,
    [TAG.owner]: owner,
    [TAG.target]: target.name,
    [TAG.launch]: token,
  };
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/**
 * Notes as tags; one that is undefined has no value.
 *
 * @throws LazysshError `INTERNAL` for a key or value that cannot be one, before anything is written.
 */
export function noteTags(notes: Readonly<Record<string, string | undefined>>): Tag[] {
  return Object.entries(notes).map(([key, value]) => {
    const Key = `${NOTE_PREFIX}${key}`;
    if (!NOTE_KEY.test(key) || FIXED_TAGS.has(Key)) {
      throw new LazysshError("INTERNAL", `a note on a machine cannot have the key "${key}"`);
    }
    if (value === undefined) return { Key };
    if (value.length <= LONGEST_VALUE) return { Key, Value: value };
    throw new LazysshError("INTERNAL", `the note "${key}" is longer than ${LONGEST_VALUE} characters`);
  });
}

/** What has been written on a machine, without the prefix. */
export function notesOf(tags: readonly Tag[] | undefined): Notes {
  return Object.fromEntries(
    (tags ?? []).flatMap(({ Key = "", Value = "" }): [string, string][] =>
      Key.startsWith(NOTE_PREFIX) && !FIXED_TAGS.has(Key) ? [[Key.slice(NOTE_PREFIX.length), Value]] : [],
    ),
  );
}

export function tagOf(tags: readonly Tag[] | undefined, key: string): string | undefined {
  return tags?.find((tag) => tag.Key === key)?.Value;
}
