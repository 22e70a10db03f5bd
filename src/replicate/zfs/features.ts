import type { Features } from "../model.ts";
import type { Side } from "../side.ts";
import { failureOf } from "./explain.ts";

/**
 * What the `zfs` of a side can do, from what it prints about itself: its usage and its list of properties. It looks at no pool.
 *
 * @throws LazysshError when there is no `zfs`, or it does not work there.
 */
export async function detectFeatures(side: Side, zfs: string, signal: AbortSignal): Promise<Features> {
  const [usage, properties] = await Promise.all([
    side.run([zfs], { signal }),
    side.run([zfs, "get"], { signal }),
  ]);
  for (const ran of [usage, properties]) {
    if (!/^usage:/m.test(ran.stderr + ran.stdout)) {
      throw failureOf(ran, { side, zfs, doing: "asking what zfs can do" });
    }
  }
  return readFeatures(usage.stderr + usage.stdout, properties.stderr + properties.stdout);
}

/** From what `zfs` and `zfs get` print without arguments. */
export function readFeatures(usage: string, properties: string): Features {
  const send = linesOf(usage, "send");
  const receive = linesOf(usage, "receive");
  const sends = (flag: string) => send.some((line) => flagsOf(line).includes(flag));
  const receives = (flag: string) => receive.some((line) => flagsOf(line).includes(flag));
  const has = (property: string) => new RegExp(`^\\s+${property}\\s`, "m").test(properties);
  return {
    estimate: sends("n") && sends("P"),
    compressed: sends("c"),
    largeBlocks: sends("L"),
    embedded: sends("e"),
    raw: sends("w") && has("encryption"),
    resume: send.some((line) => / -t </.test(line)) && receives("s") && has("receive_resume_token"),
    receiveProperties: receive.some((line) => line.includes("[-o ") && line.includes("[-x ")),
    bookmarks: linesOf(usage, "bookmark").length > 0,
    holds: linesOf(usage, "holds").some((line) => flagsOf(line).includes("H")),
    written: has("written"),
  };
}

/** What the usage says of one command; lines that go on are joined. */
function linesOf(usage: string, command: string): string[] {
  return usage
    .replaceAll(/\n {4,}|\n\t {4,}/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith(`${command} `));
}

/** The letters of its first group of flags. */
function flagsOf(line: string): string {
  return /\[-([A-Za-z]+)\]/.exec(line)?.[1] ?? "";
}
