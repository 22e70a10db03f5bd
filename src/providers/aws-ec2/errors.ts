import type { AwsEc2Target } from "../../config/types.ts";
import { type ErrorCode, LazysshError } from "../../util/errors.ts";
import { type Failure, readFailure, slimCause } from "./failure.ts";
import { imageText, keyText, templateText, typeText } from "./naming.ts";
import type { Redact } from "./redact.ts";

/** What was being done when it failed. */
export interface FailedCall {
  /** EC2 action, for example `RunInstances`. */
  readonly action: string;
  /** Where it was sent: `in region us-west-2`, or `at URL (region …)` for another cloud. */
  readonly place: string;
  readonly target: AwsEc2Target;
  readonly redact: Redact;
}

interface Verdict {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** What is wrong and what to do, where we know better than the cloud's own words, which follow it. */
  readonly advice?: string;
}

type Judge = (failure: Failure, call: FailedCall) => Verdict | undefined;

/**
 * The error of a failed EC2 call in our words. Total: any thrown value has an answer. `retryable` is true whenever
 * the call may have had its effect without our seeing it, so that nobody takes "failed" for "not made".
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export function ec2Error(thrown: unknown, call: FailedCall): LazysshError {
  if (thrown instanceof LazysshError) return thrown;
  const failure = readFailure(thrown, call.redact);
  const { code, retryable, advice } =
    byName(failure, call) ?? bySocket(failure, call) ?? byStatus(failure, call) ?? UNKNOWN;
  const named = failure.name === "" || failure.message.includes(failure.name);
  const said = named ? failure.message : `${failure.name}: ${failure.message}`;
  const what = `target ${call.target.name}: ${call.action} failed ${call.place}`;
  return new LazysshError(code, advice ? `${what}: ${advice} (${said})` : `${what}: ${said}`, {
    cause: slimCause(failure),
    retryable,
  });
}

/** Whether this is a refusal to order again what the token has already made. */
export function isTokenSpent(error: unknown): boolean {
  return error instanceof LazysshError && error.cause instanceof Error && TOKEN_SPENT.has(error.cause.name);
}

const TOKEN_SPENT: ReadonlySet<string> = new Set([
  "IdempotentInstanceTerminated",
  "IdempotentParameterMismatch",
]);

/** Nobody knows whether it had an effect. */
const UNKNOWN: Verdict = { code: "INTERNAL", retryable: true };

const refuse = (code: ErrorCode, advice?: string): Verdict => ({
  code,
  retryable: false,
  ...(advice !== undefined && { advice }),
});

const retry = (code: ErrorCode, advice?: string): Verdict => ({ ...refuse(code, advice), retryable: true });

const noCapacity: Judge = (_, { target }) =>
  refuse("NO_CAPACITY", `no ${typeText(target)} to be had now; try later, another instance_type or zone`);

const quota: Judge = (_, { target }) =>
  refuse(
    "NO_CAPACITY",
    `the account's limit does not allow another ${typeText(target)}; raise it in Service Quotas or stop others`,
  );

const credentials: Judge = () =>
  refuse(
    "CREDENTIALS",
    "the cloud credentials of the server are missing, wrong or expired; see AWS_PROFILE, ~/.aws",
  );

const clock: Judge = () =>
  refuse("CREDENTIALS", "the request was out of date; is the clock of the server right?");

const notPermitted: Judge = ({ message }, { action }) => {
  const permission = /not authorized to perform:? (\w+:\w+)/i.exec(message)?.[1] ?? `ec2:${action}`;
  return refuse(
    "NOT_PERMITTED",
    `the credentials lack the permission ${permission}; allow it in their IAM policy`,
  );
};

const throttled: Judge = () => retry("THROTTLED", "the cloud limits how often it may be asked");

const notAnImage: Judge = (_, { target, place }) =>
  refuse(
    "BAD_REQUEST",
    `${imageText(target)} does not exist ${place}, or may not be used; check ${imageArgument(target)}`,
  );

function imageArgument({ imageId, image }: AwsEc2Target): string {
  if (imageId !== undefined) return "image_id";
  return image ? "image" : "launch_template";
}

const notATemplate: Judge = (_, { target, place }) =>
  refuse("BAD_REQUEST", `${templateText(target)} does not exist ${place}; check launch_template`);

const notAGroup: Judge = (_, { target, place }) => {
  const groups = target.securityGroupIds.join(", ") || "of the launch template";
  return refuse(
    "BAD_REQUEST",
    `a security group does not exist ${place}, or not in the VPC of the subnet (${groups}); check security_group_ids`,
  );
};

const notReady: Judge = () => retry("NOT_READY", "not possible in the state that it is in now");

/** By EC2 error code, or by the name of an error of the SDK. */
const JUDGES: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ...each(
    [
      "InsufficientCapacity",
      "InsufficientFreeAddressesInSubnet",
      "InsufficientHostCapacity",
      "InsufficientInstanceCapacity",
      "InsufficientReservedInstanceCapacity",
      "InsufficientVolumeCapacity",
      "SpotMaxPriceTooLow",
      "UnfulfillableCapacity",
      "Unsupported",
    ],
    noCapacity,
  ),
  ...each(
    ["InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "VolumeLimitExceeded"],
    quota,
  ),
  ...each(
    [
      "AuthFailure",
      "CredentialsProviderError",
      "ExpiredToken",
      "ExpiredTokenException",
      "IncompleteSignature",
      "InvalidAccessKeyId",
      "InvalidClientTokenId",
      "InvalidSignatureException",
      "MissingAuthenticationToken",
      "ProviderError",
      "SignatureDoesNotMatch",
      "TokenProviderError",
      "UnrecognizedClientException",
    ],
    credentials,
  ),
  ...each(["RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"], clock),
  ...each(["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"], notPermitted),
  ...each(
    [
      "EC2ThrottledException",
      "RequestLimitExceeded",
      "RequestThrottled",
      "RequestThrottledException",
      "SlowDown",
      "ThrottledException",
      "Throttling",
      "ThrottlingException",
      "TooManyRequestsException",
    ],
    throttled,
  ),
  ...each(
    [
      "InvalidAMIID.Malformed",
      "InvalidAMIID.NotFound",
      "InvalidAMIID.Unavailable",
      "InvalidAMIID.NotSupported",
    ],
    notAnImage,
  ),
  ...each(["IncorrectInstanceState", "IncorrectState"], notReady),
  [
    "InvalidKeyPair.NotFound",
    (_, { target, place }) =>
      refuse("BAD_REQUEST", `${keyText(target)} does not exist ${place}; check key_name`),
  ],
  ...each(
    [
      "InvalidLaunchTemplateId.Malformed",
      "InvalidLaunchTemplateId.NotFound",
      "InvalidLaunchTemplateId.VersionNotFound",
      "InvalidLaunchTemplateName.MalformedException",
      "InvalidLaunchTemplateName.NotFoundException",
    ],
    notATemplate,
  ),
  ...each(
    ["InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound"],
    notAGroup,
  ),
  ...each(["InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound"], (_, { target, place }) =>
    refuse(
      "BAD_REQUEST",
      `subnet ${target.subnetIds[0] ?? "(default)"} does not exist ${place}; check subnet_id`,
    ),
  ),
  ...each(["InvalidVolume.NotFound", "InvalidVolumeID.Malformed"], (_, { place }) =>
    refuse("BAD_REQUEST", `a volume of attach_volume does not exist ${place}; check volume_id`),
  ),
  [
    "InvalidVolume.ZoneMismatch",
    () =>
      refuse(
        "VOLUME_MISMATCH",
        "a volume can only be attached in its own zone; set placement or subnet_id to it",
      ),
  ],
  ["VolumeInUse", () => retry("VOLUME_BUSY", "the volume is attached elsewhere")],
  ["InvalidInstanceID.NotFound", () => retry("MACHINE_NOT_FOUND")],
  [
    "OperationNotPermitted",
    () =>
      refuse("NOT_PERMITTED", "the instance is protected; take termination and stop protection away from it"),
  ],
  [
    "OptInRequired",
    () =>
      refuse(
        "NOT_PERMITTED",
        "the account must first subscribe to the image or service, in the cloud's console",
      ),
  ],
  ["PendingVerification", () => refuse("NOT_PERMITTED", "the cloud is still verifying the account")],
  [
    "IdempotentInstanceTerminated",
    () => refuse("MACHINE_DIED", "the machine of this order has been terminated already"),
  ],
  [
    "IdempotentParameterMismatch",
    () => refuse("BAD_REQUEST", "a machine was already ordered with this token and other parameters"),
  ],
]);

const byName: Judge = (failure, call) => {
  // The SDK has no class for these: it throws a plain Error.
  if (failure.name === "" && /^Region is missing/.test(failure.message)) {
    return refuse(
      "BAD_REQUEST",
      "no region is known; set region in the target, AWS_REGION, or one in the profile",
    );
  }
  if (failure.name === "" && /^Region not accepted/.test(failure.message)) {
    return refuse("BAD_REQUEST", "that is no region; check region");
  }
  return JUDGES.get(failure.name)?.(failure, call);
};

const CERTIFICATE =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;
const SOCKET =
  /^(E[A-Z_]*(CONN|ADDR|NET|HOST)[A-Z]*|EAI_[A-Z]+|ENOTFOUND|EPIPE|EPROTO|ETIMEDOUT|ERR_STREAM_[A-Z_]+|ERR_SSL_[A-Z_]+)$/;

const bySocket: Judge = ({ name, systemCode = "", status }) => {
  if (systemCode === "ERR_INVALID_URL")
    return refuse("BAD_REQUEST", "the endpoint is not a URL; check endpoint");
  if (CERTIFICATE.test(systemCode)) {
    return refuse(
      "CLOUD_UNREACHABLE",
      "the certificate of the cloud cannot be trusted; see NODE_EXTRA_CA_CERTS",
    );
  }
  if (name === "TimeoutError" || systemCode === "ETIMEDOUT" || status === 408) {
    return retry("CLOUD_UNREACHABLE", "no answer in time");
  }
  if (systemCode === "ENOTFOUND") {
    return retry("CLOUD_UNREACHABLE", "no such host; check region and endpoint, and the network");
  }
  if (SOCKET.test(systemCode)) return retry("CLOUD_UNREACHABLE", "no connection to the cloud, or it broke");
  // The answer is not HTTP.
  if (systemCode.startsWith("HPE_"))
    return retry("CLOUD_ERROR", "what answers there is not EC2; check endpoint");
  return undefined;
};

const byStatus: Judge = ({ status }) => {
  if (status === undefined) return undefined;
  if (status === 429) return retry("THROTTLED", "the cloud limits how often it may be asked");
  if (status >= 500) return retry("CLOUD_ERROR", `the cloud has a fault of its own, HTTP ${status}`);
  if (status >= 400) return refuse("BAD_REQUEST");
  if (status >= 300)
    return refuse("BAD_REQUEST", `the endpoint redirects, HTTP ${status}; check endpoint and region`);
  // It succeeded, and we could not read what it said.
  return retry("CLOUD_ERROR", "the answer is not one of EC2; check endpoint");
};

function each(names: readonly string[], judge: Judge): [string, Judge][] {
  return names.map((name) => [name, judge]);
}
