import { blocks, defaulted, optional, required, requiredUnless, type Section } from "../decode/row.ts";
import { boolean, listOf, mapOf, no, ok, oneOf, refined, text, wholeNumber } from "../decode/value-type.ts";
import type { AwsEc2Target, MetadataOptions } from "../types.ts";
import { machineTable } from "./machine.ts";

const LARGEST_INT32 = 2_147_483_647;
const LARGEST_USER_DATA = 16_384;

const word = refined(text, "string", (given) =>
  given.trim() === "" ? no("It must not be empty.") : ok(given),
);

const userData = refined(text, "string", (given) => {
  const bytes = Buffer.byteLength(given);
  if (bytes <= LARGEST_USER_DATA) return ok(given);
  return no(`EC2 takes at most ${LARGEST_USER_DATA} bytes of user data, and these are ${bytes}.`);
});

const url = refined(text, "URL", (given) =>
  /^https?:\/\/[^/]/.test(given) && URL.canParse(given)
    ? ok(given)
    : no('A URL is needed, such as "https://ec2.example.com" or "http://127.0.0.1:4566".'),
);

const owner = refined(word, "string", (given) =>
  /^\d+$/.test(given) && given.length !== 12
    ? no("The id of an AWS account has 12 digits. In quotes, a zero in front of it stays.")
    : ok(given),
);

const owners = refined(listOf(owner), "list of strings", (given) =>
  given.length === 0 ? no("Anybody may give an image any name: say whose it must be.") : ok(given),
);

/** EC2 allows 50 on a resource; some are lazyssh's own. Source: EC2 user guide, "Tag restrictions". */
const MOST_TAGS = 40;
const LONGEST_TAG_KEY = 128;
const LONGEST_TAG_VALUE = 256;

const tags = refined(mapOf(text), "map of strings", (given) => {
  if (given.size > MOST_TAGS)
    return no(`At most ${MOST_TAGS} tags are possible, and these are ${given.size}.`);
  for (const [key, value] of given) {
    const prefix = /^(?:aws|lazyssh):/i.exec(key)?.[0];
    if (prefix !== undefined) return no(`Keys that start with "${prefix}" are reserved.`);
    if (key === "" || key.length > LONGEST_TAG_KEY)
      return no(`The key of a tag has 1 to ${LONGEST_TAG_KEY} characters.`);
    if (value.length > LONGEST_TAG_VALUE)
      return no(`The value of a tag has at most ${LONGEST_TAG_VALUE} characters.`);
  }
  return ok(Object.fromEntries(given));
});

/** `ebs_block_device { … }` */
export const ebsBlockDeviceTable = {
  deviceName: required(
    "device_name",
    word,
    "name of the device, such as `/dev/xvda` for the root volume of many images.",
  ),
  deleteOnTermination: optional(
    "delete_on_termination",
    boolean,
    "whether the volume goes away with the machine.",
  ),
  encrypted: optional("encrypted", boolean, "whether the volume is encrypted."),
  kmsKeyId: optional("kms_key_id", text, "KMS key to encrypt it with."),
  snapshotId: optional("snapshot_id", text, "snapshot it is made from."),
  volumeSize: optional("volume_size", wholeNumber(1, LARGEST_INT32), "size in GiB."),
  volumeType: optional("volume_type", text, "`gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`."),
  iops: optional(
    "iops",
    wholeNumber(0, LARGEST_INT32),
    "I/O operations per second; needed with `io1` and `io2`.",
  ),
  throughput: optional(
    "throughput",
    wholeNumber(1, LARGEST_INT32),
    "MiB per second; only volumes of type `gp3` have it.",
  ),
};

/** `attach_volume { … }` */
export const attachVolumeTable = {
  deviceName: required("device_name", word, "name of the device, such as `/dev/sdf`."),
  volumeId: required("volume_id", text, "the volume. It must be in the zone that the machine starts in."),
};

/** `placement { … }` */
export const placementTable = {
  availabilityZone: optional("availability_zone", text, "zone to start in, such as `us-west-2d`."),
};

/** `image { … }` */
export const imageTable = {
  owners: required("owners", owners, "account ids, or `self`, `amazon`, `aws-marketplace`."),
  name: required("name", word, "name of the image; `*` and `?` stand for any characters and for any one."),
  mostRecent: defaulted(
    "most_recent",
    boolean,
    false,
    "false",
    "of several take the one made last; otherwise there must be exactly one.",
  ),
};

/** `launch_template { … }` */
export const launchTemplateTable = {
  id: optional("id", word, "id of the template; this or its name is needed."),
  name: optional("name", word, "name of the template."),
  version: optional("version", word, "number of the version, `$Latest` or `$Default`."),
};

/** `metadata_options { … }` */
export const metadataOptionsTable = {
  httpTokens: defaulted(
    "http_tokens",
    oneOf("required", "optional"),
    "required",
    '"required"',
    "`required` allows IMDSv2 only, `optional` the older version as well.",
  ),
  httpPutResponseHopLimit: optional(
    "http_put_response_hop_limit",
    wholeNumber(1, 64),
    "how many hops an answer may go; containers in the machine need 2.",
  ),
  httpEndpoint: optional(
    "http_endpoint",
    oneOf("enabled", "disabled"),
    "with `disabled` the machine gets neither user data, nor key pair, nor credentials from it.",
  ),
};

const METADATA_DEFAULT: MetadataOptions = {
  httpTokens: metadataOptionsTable.httpTokens.fallback,
  httpPutResponseHopLimit: undefined,
  httpEndpoint: undefined,
};

/** `target "…" "aws_ec2" { … }` */
export const awsEc2Table = {
  imageId: requiredUnless(
    ["image", "launch_template"],
    "image_id",
    word,
    "the AMI to start, or `resolve:ssm:` and the name of an SSM parameter that holds its id.",
  ),
  instanceType: requiredUnless(
    ["launch_template"],
    "instance_type",
    word,
    "type of the instance, such as `t4g.nano`.",
  ),
  keyName: requiredUnless(["launch_template"], "key_name", word, "name of the EC2 key pair."),
  subnetId: optional("subnet_id", text, "subnet to start in; it decides the zone."),
  securityGroupIds: defaulted(
    "security_group_ids",
    listOf(word),
    [],
    "the VPC's default group",
    "security groups of the machine.",
  ),
  associatePublicIpAddress: optional(
    "associate_public_ip_address",
    boolean,
    "whether the machine gets a public IPv4 address. Default: as the subnet says.",
  ),
  tags: defaulted("tags", tags, {}, "none", "tags of the machine and of the volumes made with it."),
  userData: optional(
    "user_data",
    userData,
    "user data, at most 16384 bytes, as plain text: it is encoded for EC2.",
    {
      sensitive: true,
    },
  ),
  iamInstanceProfile: optional("iam_instance_profile", text, "name or ARN of the instance profile."),
  profile: optional(
    "profile",
    text,
    "profile of the local AWS configuration. Default: what the AWS SDK chooses.",
  ),
  region: optional("region", text, "AWS region. Default: what the AWS SDK chooses."),
  endpoint: optional("endpoint", url, "URL of another cloud that speaks the EC2 API. Default: AWS."),
  address: optional(
    "address",
    oneOf("public", "private", "ipv6"),
    "which address of the instance is connected to. Default: the public one, or the private one if it has no public one.",
  ),
  ...machineTable,
  images: blocks("image", imageTable, "a search for the AMI, made at each start.", 1),
  launchTemplates: blocks("launch_template", launchTemplateTable, "an EC2 launch template to start from.", 1),
  metadataOptions: blocks(
    "metadata_options",
    metadataOptionsTable,
    "the instance metadata service. Without the block IMDSv2 is required, or the launch template decides.",
    1,
  ),
  ebsBlockDevices: blocks("ebs_block_device", ebsBlockDeviceTable, "a volume that is made with the machine."),
  placement: blocks("placement", placementTable, "where the machine starts.", 1),
  attachVolumes: blocks(
    "attach_volume",
    attachVolumeTable,
    "a volume of yours that is attached while the machine runs and outlives it.",
  ),
};

export type Ec2Section = Section<typeof awsEc2Table>;

export function awsEc2Target(name: string, { values }: Ec2Section): AwsEc2Target {
  const {
    placement,
    images,
    launchTemplates,
    metadataOptions,
    ebsBlockDevices,
    attachVolumes,
    instanceType,
    subnetId,
    ...plain
  } = values;
  const launchTemplate = launchTemplates[0]?.values;
  return {
    type: "aws_ec2",
    name,
    ...plain,
    instanceTypes: instanceType === undefined ? [] : [instanceType],
    subnetIds: subnetId === undefined ? [] : [subnetId],
    spot: undefined,
    deadManMs: undefined,
    idleTimeoutMs: undefined,
    maxMachines: undefined,
    budgetMsPerDay: undefined,
    beforeStop: undefined,
    stopMode: "terminate",
    hourlyPrice: undefined,
    image: images[0]?.values,
    launchTemplate,
    // What a template is for is to say such things.
    metadataOptions: metadataOptions[0]?.values ?? (launchTemplate ? undefined : METADATA_DEFAULT),
    availabilityZone: placement[0]?.values.availabilityZone,
    ebsBlockDevices: ebsBlockDevices.map((device) => device.values),
    attachVolumes: attachVolumes.map((volume) => volume.values),
  };
}
