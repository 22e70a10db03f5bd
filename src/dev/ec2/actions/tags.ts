import type { Cloud } from "../../cloud/cloud.ts";
import { Ec2Error } from "../../cloud/error.ts";
import { findInstance, findVolume } from "../../cloud/lookup.ts";
import { checkMetadataTags } from "../../cloud/metadata-tags.ts";
import type { Instance, Tags, Volume } from "../../cloud/state.ts";
import type { ActionTable } from "../action.ts";
import { applyFilters, paginate } from "../filter.ts";
import type { Params } from "../query.ts";

interface TagRow {
  readonly resourceId: string;
  readonly resourceType: "instance" | "volume";
  readonly key: string;
  readonly value: string;
}

/** EC2 user guide, "Tag restrictions". */
const MOST_TAGS = 50;

/** What RunInstances makes that can have tags (EC2 API reference, RunInstances, `TagSpecification.N`). */
const LAUNCHED = ["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"];

/** @throws Ec2Error for tags of something that RunInstances does not make, and for keys that are not allowed. */
export function checkTagSpecifications(params: Params): void {
  for (const spec of params.structs("TagSpecification")) {
    const type = spec.required("ResourceType");
    if (!LAUNCHED.includes(type)) {
      throw new Ec2Error(
        "InvalidParameterValue",
        `'${type}' is not a valid taggable resource type for this operation.`,
      );
    }
    readTags(spec);
  }
}

/** The tags that `TagSpecification.N` gives to one type of resource. */
export function tagsFor(params: Params, resourceType: string): Tags {
  const wanted = params
    .structs("TagSpecification")
    .filter((spec) => spec.text("ResourceType") === resourceType);
  const tags: Tags = {};
  for (const spec of wanted) Object.assign(tags, readTags(spec));
  return tags;
}

function readTags(params: Params): Tags {
  const tags: Tags = {};
  for (const tag of params.structs("Tag")) {
    const key = tag.required("Key");
    if (key.startsWith("aws:")) {
      throw new Ec2Error(
        "InvalidParameterValue",
        `Tag keys starting with 'aws:' are reserved for internal use`,
      );
    }
    tags[key] = tag.text("Value") ?? "";
  }
  return tags;
}

function taggable(cloud: Cloud, id: string): Instance | Volume {
  if (id.startsWith("i-")) return findInstance(cloud, id);
  if (id.startsWith("vol-")) return findVolume(cloud, id);
  throw new Ec2Error("InvalidID", `The ID '${id}' is not valid`);
}

function retag(cloud: Cloud, resource: Instance | Volume, tags: Tags): void {
  resource.tags = tags;
  cloud.emit({ type: "tags", resource: resource.id, tags });
}

function rows(cloud: Cloud, lagMs: number): TagRow[] {
  const of = (resourceType: TagRow["resourceType"], resourceId: string, tags: Tags): TagRow[] =>
    Object.entries(tags).map(([key, value]) => ({ resourceId, resourceType, key, value }));
  return [
    ...[...cloud.instances.values()].flatMap((instance) =>
      of("instance", instance.id, cloud.tagsAt(instance, lagMs)),
    ),
    ...cloud.volumesAt(lagMs).flatMap(({ id, tags }) => of("volume", id, tags)),
  ];
}

export const tagActions: ActionTable = {
  CreateTags: (params, { cloud }) => {
    const fresh = readTags(params);
    const resources = params.list("ResourceId").map((id) => taggable(cloud, id));
    const changed: { resource: Instance | Volume; tags: Tags }[] = [];
    for (const resource of resources) {
      const tags = { ...resource.tags, ...fresh };
      if ("metadataOptions" in resource && resource.metadataOptions.instanceMetadataTags === "enabled") {
        checkMetadataTags(fresh);
      }
      if (Object.keys(tags).length > MOST_TAGS) {
        throw new Ec2Error(
          "TagLimitExceeded",
          `The maximum number of Tags for a resource has been reached (${MOST_TAGS}).`,
        );
      }
      changed.push({ resource, tags });
    }
    // All or none.
    for (const { resource, tags } of changed) retag(cloud, resource, tags);
    return { return: true };
  },
  DeleteTags: (params, { cloud }) => {
    const resources = params.list("ResourceId").map((id) => taggable(cloud, id));
    const doomed = params
      .structs("Tag")
      .map((tag) => ({ key: tag.required("Key"), value: tag.text("Value") }));
    for (const resource of resources) {
      const kept = Object.entries(resource.tags).filter(
        ([key, value]) =>
          doomed.length > 0 && !doomed.some((tag) => tag.key === key && (tag.value ?? value) === value),
      );
      retag(cloud, resource, Object.fromEntries(kept));
    }
    return { return: true };
  },
  DescribeTags: (params, { cloud, lagMs }) => {
    const found = applyFilters(params, rows(cloud, lagMs), (row, name) => {
      switch (name) {
        case "resource-id":
          return [row.resourceId];
        case "resource-type":
          return [row.resourceType];
        case "key":
          return [row.key];
        case "value":
          return [row.value];
        default:
          return name === `tag:${row.key}` ? [row.value] : name.startsWith("tag:") ? [] : undefined;
      }
    });
    const { items, nextToken } = paginate(params, found);
    return { tagSet: items.map((row) => ({ ...row })), nextToken };
  },
};
