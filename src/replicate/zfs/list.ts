import type { Dataset, Features, Point, ResumeToken } from "../model.ts";
import type { Side } from "../side.ts";
import { failureOf } from "./explain.ts";
import { cutOff, numberOf, wholeRowsOf } from "./names.ts";
import { readToken } from "./token.ts";

export interface ListOptions {
  /** With all below. */
  readonly recursive: boolean;
  readonly features: Features;
  readonly signal: AbortSignal;
}

/**
 * A dataset, and those below it, with their snapshots and bookmarks, parents before their children. Undefined when it does not exist.
 *
 * `zfs get -Hp` and not `zfs list`: some versions print numbers of 64 bits as "1.43E" in a list. Two commands at once, and one more for
 * each interrupted receive.
 *
 * @throws LazysshError when it cannot be told, say for want of a permission.
 */
export async function listDatasets(
  side: Side,
  zfs: string,
  root: string,
  { recursive, features, signal }: ListOptions,
): Promise<readonly Dataset[] | undefined> {
  const commands = listArgvs(zfs, root, { recursive, features });
  const all = await Promise.all(commands.map((argv) => side.run(argv, { signal })));
  const failed = all.find(({ status }) => status !== 0);
  if (failed) {
    if (isMissing(failed.stderr, root)) return undefined;
    throw failureOf(failed, { side, zfs, doing: `listing ${root}`, dataset: root });
  }
  const found = parseDatasets(all.map(({ stdout }) => stdout));
  if (!found.some(({ name }) => name === root)) throw cutOff(`nothing is said of ${root}`);
  return Promise.all(
    found
      .filter(({ name }) => recursive || name === root)
      .map(async ({ token, ...dataset }): Promise<Dataset> => {
        const resumeToken: ResumeToken | undefined =
          token === undefined ? undefined : await readToken(side, zfs, token, signal);
        return { ...dataset, resumeToken };
      }),
  );
}

/** What tells of the datasets and what tells of their snapshots; one command for both where `zfs get` knows no types. */
export function listArgvs(
  zfs: string,
  root: string,
  { recursive, features }: Omit<ListOptions, "signal">,
): string[][] {
  const ofDatasets = [
    "type",
    ...(features.written ? ["written"] : []),
    ...(features.raw ? ["encryption"] : []),
    ...(features.resume ? ["receive_resume_token"] : []),
  ];
  const ofPoints = ["guid", "createtxg", "creation"];
  const get = (properties: readonly string[], types: readonly string[]) => [
    zfs,
    "get",
    "-Hp",
    // Depth 1: with the snapshots of the root, and children that are left out again.
    ...(recursive ? ["-r"] : ["-d", "1"]),
    "-o",
    "name,property,value",
    ...types,
    properties.join(","),
    root,
  ];
  if (!features.bookmarks) return [get([...ofDatasets, ...ofPoints], [])];
  return [get(ofDatasets, ["-t", "filesystem,volume"]), get(ofPoints, ["-t", "snapshot,bookmark"])];
}

type Listed = Omit<Dataset, "resumeToken"> & { readonly token: string | undefined };

/**
 * From rows of name, property and value, of one command or several.
 *
 * @throws LazysshError `ZFS_FAILED` when something is missing: what is not seen would not be sent, and be called well.
 */
export function parseDatasets(outputs: readonly string[]): Listed[] {
  const things = new Map<string, Record<string, string>>();
  for (const [name = "", property = "", value = ""] of outputs.flatMap((text) => wholeRowsOf(text, 3))) {
    const known = things.get(name);
    if (known) known[property] = value;
    else things.set(name, { [property]: value });
  }
  const points = new Map<string, Point[]>();
  const listed: Listed[] = [];
  for (const [name, properties] of things) {
    const [, dataset = name, mark, own] = /^([^@#]+)([@#])(.+)$/s.exec(name) ?? [];
    if (mark !== undefined && own !== undefined) {
      addTo(points, dataset + mark, pointOf(own, properties));
      continue;
    }
    if (!isSet(properties.type)) throw cutOff(`nothing is said of the type of ${name}`);
    listed.push({
      name,
      kind: properties.type === "volume" ? "volume" : "filesystem",
      encrypted: isSet(properties.encryption) && properties.encryption !== "off",
      snapshots: [],
      bookmarks: [],
      token: isSet(properties.receive_resume_token) ? properties.receive_resume_token : undefined,
      written: numberOf(properties.written),
    });
  }
  return listed
    .map((dataset) => ({
      ...dataset,
      snapshots: inOrder(points.get(`${dataset.name}@`)),
      bookmarks: inOrder(points.get(`${dataset.name}#`)),
    }))
    .sort((a, b) => compareNames(a.name, b.name));
}

function pointOf(name: string, { guid, createtxg, creation }: Record<string, string>): Point {
  if (!isNumber(guid) || !isNumber(createtxg) || !isNumber(creation)) {
    throw cutOff(`guid, createtxg and creation of ${name} are "${guid}", "${createtxg}" and "${creation}"`);
  }
  return { name, guid, createtxg: BigInt(createtxg), creation: Number(creation) };
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "" && value !== "-";
}

function addTo(all: Map<string, Point[]>, key: string, point: Point): void {
  const some = all.get(key);
  if (some) some.push(point);
  else all.set(key, [point]);
}

function inOrder(points: readonly Point[] = []): Point[] {
  return points.toSorted((a, b) => (a.createtxg < b.createtxg ? -1 : a.createtxg > b.createtxg ? 1 : 0));
}

/** Parents first, each followed by all that is below it. */
function compareNames(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  const differs = left.findIndex((part, at) => part !== right[at]);
  if (differs < 0) return left.length - right.length;
  const other = right[differs];
  return other === undefined || (left[differs] ?? "") > other ? 1 : -1;
}

function isMissing(stderr: string, root: string): boolean {
  return stderr.includes(`cannot open '${root}'`) && stderr.includes("dataset does not exist");
}
