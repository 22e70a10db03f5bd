import { imageFor } from "../image.ts";
import { imageText } from "../naming.ts";
import type { Inquiry } from "./inquiry.ts";

/** The image that an order would name: with `known` its id, or undefined where the launch template says it. */
export type ImageToOrder =
  | { readonly known: true; readonly imageId: string | undefined }
  | { readonly known: false };

/**
 * Does the image exist? Of `resolve:ssm:` only an order tells.
 * Source: EC2 API reference, DescribeImages.
 */
export async function imageToOrder(inquiry: Inquiry): Promise<ImageToOrder> {
  const { ec2, target, signal } = inquiry;
  if (target.image) {
    const search = await inquiry.needed(imageFor(ec2, target, signal));
    return search.error ? { known: false } : { known: true, imageId: search.value };
  }
  const { imageId } = target;
  if (imageId?.startsWith("ami-")) {
    const look = await inquiry.optional(
      `whether ${imageText(target)} is available`,
      ec2.describeImages({ ImageIds: [imageId] }, signal),
    );
    // An order would only say so again.
    if (look.error?.code === "BAD_REQUEST") return { known: false };
    const said = look.value && (look.value.Images?.find(({ ImageId }) => ImageId === imageId) ?? {});
    if (said && said.State !== "available") {
      const state = said.State === undefined ? "is not listed" : `is "${said.State}"`;
      const text = `target ${target.name}: ${imageText(target)} ${state}, so nothing can be started from it; check image_id`;
      inquiry.add({ severity: "error", text });
    }
  }
  return { known: true, imageId };
}
