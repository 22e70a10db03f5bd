import { Ec2Error } from "./error.ts";
import type { Tags } from "./state.ts";

const RESERVED = [".", "..", "_index"];

/**
 * Tags that an instance may read from its metadata are parts of a path there, so their keys have to be such.
 *
 * @throws Ec2Error `InvalidParameterValue`, as RunInstances and CreateTags answer it.
 */
export function checkMetadataTags(tags: Tags): void {
  const bad = Object.keys(tags).find(
    (key) => !/^[0-9a-zA-Z\-_+=,.@:]{1,255}$/.test(key) || RESERVED.includes(key),
  );
  if (bad === undefined) return;
  throw new Ec2Error(
    "InvalidParameterValue",
    `'${bad}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`,
  );
}
