import type { DescribeImagesCommandInput, Image } from "@aws-sdk/client-ec2";
import type { AwsEc2Target, ImageSearch } from "../../config/types.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Ec2 } from "./client.ts";
import { imageText } from "./naming.ts";

type UsableImage = Image & { readonly ImageId: string };

/**
 * The id of the image to start, looked for anew at each launch; undefined leaves it to the launch template.
 * Source: EC2 API reference, DescribeImages and Image.
 *
 * @throws LazysshError `BAD_REQUEST` when no image is found, or several though one is wanted.
 */
export async function imageFor(
  ec2: Ec2,
  target: AwsEc2Target,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!target.image) return target.imageId;
  const found = await search(ec2, target.image, signal);
  const [newest, second] = found;
  const what = `target ${target.name}: ${imageText(target)}`;
  if (!newest) {
    throw new LazysshError("BAD_REQUEST", `${what} was not found; check owners and name, and the region`);
  }
  if (second && !target.image.mostRecent) {
    const some = [newest, second].map(({ ImageId, Name = "without a name" }) => `${ImageId} (${Name})`);
    throw new LazysshError(
      "BAD_REQUEST",
      `${what} is not one but ${found.length}, such as ${some.join(" and ")}; set most_recent = true, or say more in name`,
    );
  }
  return newest.ImageId;
}

/** Every available image that matches, the newest first. */
async function search(ec2: Ec2, wanted: ImageSearch, signal: AbortSignal): Promise<UsableImage[]> {
  const input: DescribeImagesCommandInput = {
    Owners: [...wanted.owners],
    Filters: [
      { Name: "name", Values: [wanted.name] },
      { Name: "state", Values: ["available"] },
    ],
  };
  const found: Image[] = [];
  let page: string | undefined;
  do {
    const { Images, NextToken } = await ec2.describeImages(
      { ...input, ...(page && { NextToken: page }) },
      signal,
    );
    found.push(...(Images ?? []));
    page = NextToken;
  } while (page);
  return found.filter(isUsable).sort(newestFirst);
}

function isUsable(image: Image): image is UsableImage {
  return Boolean(image.ImageId) && (image.State ?? "available") === "available";
}

/** By time of making, which is ISO 8601 in UTC; by id where that says nothing, so that the choice is always the same. */
function newestFirst(a: UsableImage, b: UsableImage): number {
  const rank = ({ CreationDate = "", ImageId }: UsableImage): string => `${CreationDate} ${ImageId}`;
  return rank(a) < rank(b) ? 1 : -1;
}
