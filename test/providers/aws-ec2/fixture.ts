import { vi } from "vitest";
import type { CreateRequest } from "../../../src/providers/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { ec2Success } from "../../harness/scripted-ec2.ts";

export const sdf = { deviceName: "/dev/sdf", volumeId: "vol-1" };
export const sdg = { deviceName: "/dev/sdg", volumeId: "vol-2" };

/** Credentials for the SDK, and nothing that it could find on the machine that runs the tests. */
export function isolateSdk(): void {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent/config");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  for (const name of ["AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"]) {
    vi.stubEnv(name, undefined);
  }
}

export const never = new AbortController().signal;

/** An order of the first alternative, without notes. */
export function order(token: string, more: Partial<CreateRequest> = {}): CreateRequest {
  return { token, alternative: 0, notes: {}, ...more };
}

/** The `LazysshError` that the promise rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<LazysshError> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome && outcome.error instanceof LazysshError) return outcome.error;
  throw new Error(`expected a LazysshError, got ${JSON.stringify(outcome)}`);
}

export function instanceXml(id: string, state: string, more = ""): string {
  return `<item><instanceId>${id}</instanceId><instanceState><name>${state}</name></instanceState>${more}</item>`;
}

export function tagsXml(tags: Readonly<Record<string, string>>): string {
  const items = Object.entries(tags).map(([k, v]) => `<item><key>${k}</key><value>${v}</value></item>`);
  return `<tagSet>${items.join("")}</tagSet>`;
}

export function describeInstancesXml(instances: readonly string[], nextToken?: string): string {
  const reservations = instances.map((one) => `<item><instancesSet>${one}</instancesSet></item>`).join("");
  const next = nextToken === undefined ? "" : `<nextToken>${nextToken}</nextToken>`;
  return ec2Success("DescribeInstances", `<reservationSet>${reservations}</reservationSet>${next}`);
}

export interface AttachmentXml {
  readonly instance: string;
  readonly state?: string;
  readonly device?: string;
  readonly deleteOnTermination?: boolean;
}

export function volumeXml(
  id: string,
  state: string,
  attachment?: AttachmentXml,
  zone = "us-west-2a",
): string {
  return `<item><volumeId>${id}</volumeId><availabilityZone>${zone}</availabilityZone><status>${state}</status>
    <attachmentSet>${attachment ? `<item>${attachmentXml(attachment)}</item>` : ""}</attachmentSet></item>`;
}

export function attachmentXml(attachment: AttachmentXml): string {
  const { instance, state = "attached", device = "/dev/sdf", deleteOnTermination = false } = attachment;
  return `<instanceId>${instance}</instanceId><device>${device}</device><status>${state}</status>
    <deleteOnTermination>${deleteOnTermination}</deleteOnTermination>`;
}

export function describeVolumesXml(...volumes: readonly string[]): string {
  return ec2Success("DescribeVolumes", `<volumeSet>${volumes.join("")}</volumeSet>`);
}
