import type { EC2Client } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";

/** Hosts of AWS itself, which the region says all about. */
const AWS_HOST = /\.amazonaws\.com(\.[a-z]+)*$/;

/** Watches where a client really sends its requests, since the endpoint may come from any corner of the SDK's chain. */
export function watchEndpoint(client: EC2Client): () => string | undefined {
  let seen: string | undefined;
  client.middlewareStack.add(
    (next) => (args) => {
      seen = urlOf(args.request) ?? seen;
      return next(args);
    },
    { step: "finalizeRequest", name: "lazysshEndpoint" },
  );
  return () => seen;
}

/** Where the API is: `in region …`, or `at URL (region …)` for another cloud. Never throws. */
export async function placeOf(
  target: AwsEc2Target,
  client: EC2Client | undefined,
  seen: string | undefined,
): Promise<string> {
  const region = target.region ?? (await client?.config.region().catch(() => undefined));
  const regionText = region === undefined ? "an unknown region" : `region ${region}`;
  const url = target.endpoint ?? seen;
  return url === undefined ? `in ${regionText}` : `at ${url} (${regionText})`;
}

function urlOf(request: unknown): string | undefined {
  if (typeof request !== "object" || request === null || !("hostname" in request)) return undefined;
  const { hostname } = request;
  if (typeof hostname !== "string" || AWS_HOST.test(hostname)) return undefined;
  const protocol =
    "protocol" in request && typeof request.protocol === "string" ? request.protocol : "https:";
  const port = "port" in request && typeof request.port === "number" ? `:${request.port}` : "";
  return `${protocol}//${hostname}${port}`;
}
