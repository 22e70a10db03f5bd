import type { AwsEc2Target } from "../../config/types.ts";
import { imageText, keyText, orderText, templateText } from "./naming.ts";
import { type Judge, refuse, retry } from "./verdict.ts";

const noCapacity: Judge = (_, { target }) =>
  refuse("NO_CAPACITY", `no ${orderText(target)} to be had now; try later, another instance_type or zone`);

const quota: Judge = (_, { target }) =>
  refuse(
    "NO_CAPACITY",
    `the account's limit does not allow another ${orderText(target)}; raise it in Service Quotas or stop others`,
  );

const priceTooLow: Judge = (_, { target }) =>
  refuse(
    "NO_CAPACITY",
    `no ${orderText(target)} to be had at ${target.spot?.maxPrice ?? "the on-demand price"}; raise max_price of spot, or try later`,
  );

const noSpotRole: Judge = () =>
  refuse(
    "NOT_PERMITTED",
    "the account has never used spot, and the credentials lack the permission iam:CreateServiceLinkedRole; run once " +
      '"aws iam create-service-linked-role --aws-service-name spot.amazonaws.com" as somebody who has it',
  );

/** What StopInstances says of a machine that cannot rest; of other actions these say something else. */
const cannotRest: Judge = (_, { action }) =>
  action === "StopInstances"
    ? refuse("NOT_SUPPORTED", "the machine cannot be stopped and kept, only terminated")
    : undefined;

/** Protection can be taken away; that one-time spot cannot be stopped, cannot. */
const notAllowed: Judge = (failure, call) =>
  /\bspot\b/i.test(failure.message)
    ? cannotRest(failure, call)
    : refuse("NOT_PERMITTED", "the instance is protected; take termination and stop protection away from it");

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
export const JUDGES: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ...each(
    [
      "InsufficientCapacity",
      "InsufficientFreeAddressesInSubnet",
      "InsufficientHostCapacity",
      "InsufficientInstanceCapacity",
      "InsufficientReservedInstanceCapacity",
      "InsufficientVolumeCapacity",
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
  ["TagLimitExceeded", () => refuse("BAD_REQUEST", "it has as many tags as EC2 allows; see tags")],
  ["OperationNotPermitted", notAllowed],
  ...each(
    ["InvalidParameterCombination", "UnsupportedHibernationConfiguration", "UnsupportedOperation"],
    cannotRest,
  ),
  ["SpotMaxPriceTooLow", priceTooLow],
  ["AuthFailure.ServiceLinkedRoleCreationNotPermitted", noSpotRole],
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
    // There is one, only the list does not show it yet.
    () => retry("NOT_READY", "a machine was already ordered with this token and other parameters"),
  ],
]);

function each(names: readonly string[], judge: Judge): [string, Judge][] {
  return names.map((name) => [name, judge]);
}
