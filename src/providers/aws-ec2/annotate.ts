import type { Ec2 } from "./client.ts";
import { noteTags } from "./tags.ts";

/**
 * Writes notes on an instance as tags, and takes those off that are undefined. What is written comes first, so that no moment
 * has neither the old note nor the new one.
 * Source: EC2 API reference, CreateTags and DeleteTags.
 *
 * @throws LazysshError `MACHINE_NOT_FOUND` when the cloud does not know the instance.
 */
export async function annotateInstance(
  ec2: Ec2,
  id: string,
  notes: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const tags = noteTags(notes);
  const fresh = tags.filter(({ Value }) => Value !== undefined);
  const stale = tags.filter(({ Value }) => Value === undefined);
  if (fresh.length > 0) await ec2.createTags({ Resources: [id], Tags: fresh }, signal);
  if (stale.length > 0) await ec2.deleteTags({ Resources: [id], Tags: stale }, signal);
}
