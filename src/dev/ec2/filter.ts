import { Ec2Error } from "../cloud/error.ts";
import type { Tags } from "../cloud/state.ts";
import type { Params } from "./query.ts";

/** The values a record has under a filter's name; undefined when no such filter exists. */
export type FilterField<T> = (record: T, name: string) => readonly (string | undefined)[] | undefined;

/**
 * Keeps what matches every `Filter.N`: one of its values, with the wildcards `*` and `?` (EC2 user guide, "Filtering").
 *
 * @throws Ec2Error `InvalidParameterValue` for a filter that does not exist.
 */
export function applyFilters<T>(params: Params, records: readonly T[], field: FilterField<T>): T[] {
  const filters = params.structs("Filter").map((filter) => ({
    name: filter.required("Name"),
    patterns: filter.list("Value").map(wildcard),
  }));
  return records.filter((record) =>
    filters.every(({ name, patterns }) => {
      const values = field(record, name);
      if (values === undefined)
        throw new Ec2Error("InvalidParameterValue", `The filter '${name}' is invalid`);
      return values.some((value) => value !== undefined && patterns.some((pattern) => pattern.test(value)));
    }),
  );
}

/** `tag:KEY`, `tag-key` and `tag-value`, which every taggable resource has. */
export function tagField(tags: Tags, name: string): readonly (string | undefined)[] | undefined {
  if (name === "tag-key") return Object.keys(tags);
  if (name === "tag-value") return Object.values(tags);
  if (name.startsWith("tag:")) return [Object.hasOwn(tags, name.slice(4)) ? tags[name.slice(4)] : undefined];
  return undefined;
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`, "s");
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | undefined;
}

/** One page of a listing (`MaxResults`, `NextToken`). @throws Ec2Error `InvalidParameterValue`, `InvalidNextToken`. */
export function paginate<T>(params: Params, records: readonly T[]): Page<T> {
  const limit = params.integer("MaxResults");
  if (limit !== undefined && (limit < 5 || limit > 1000)) {
    throw new Ec2Error(
      "InvalidParameterValue",
      `Value (${limit}) for parameter maxResults is invalid. Expecting 5..1000.`,
    );
  }
  const start = decodeToken(params.text("NextToken"));
  const end = limit === undefined ? records.length : start + limit;
  return {
    items: records.slice(start, end),
    nextToken: end < records.length ? Buffer.from(`from:${end}`).toString("base64url") : undefined,
  };
}

function decodeToken(token: string | undefined): number {
  if (token === undefined || token === "") return 0;
  const match = /^from:(\d{1,9})$/.exec(Buffer.from(token, "base64url").toString());
  if (match?.[1] === undefined) throw new Ec2Error("InvalidNextToken", `The token '${token}' is invalid`);
  return Number(match[1]);
}
