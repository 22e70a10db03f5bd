import { mergeDeadMan } from "../dead-man/merge.ts";
import type { Merge } from "../dead-man/mime.ts";
import { blocks, defaulted, optional, requiredUnless, type Section } from "../decode/row.ts";
import { boolean, listOf, mapOf, no, ok, oneOf, oneOrMore, refined, text } from "../decode/value-type.ts";
import type { AwsEc2Target } from "../types.ts";
import {
  attachVolumeTable,
  ebsBlockDeviceTable,
  imageTable,
  launchTemplateTable,
  METADATA_DEFAULT,
  metadataOptionsTable,
  placementTable,
  spotTable,
} from "./aws-ec2-blocks.ts";
import { positiveDuration, word } from "./common.ts";
import { machineFields, machineTable } from "./machine.ts";

/** Source: EC2 user guide, "Run commands when you launch an EC2 instance with user data input". */
export const LARGEST_USER_DATA = 16_384;

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

/** EC2 allows 50 on a resource; some are lazyssh's own, one of them for each server of a group. Source: EC2 user guide, "Tag restrictions". */
const MOST_TAGS = 30;
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

/** A guest that looks once a minute, and a server that may be busy for a while, want some room. */
const SHORTEST_DEAD_MAN_MS = 300_000;

const deadMan = refined(positiveDuration, "duration", (ms) =>
  ms >= SHORTEST_DEAD_MAN_MS ? ok(ms) : no("It must be 5 minutes at least."),
);

/** `target "…" "aws_ec2" { … }` */
export const awsEc2Table = {
  imageId: requiredUnless(
    ["image", "launch_template"],
    "image_id",
    word,
    "the AMI to start, or `resolve:ssm:` and the name of an SSM parameter that holds its id.",
  ),
  instanceTypes: requiredUnless(
    ["launch_template"],
    "instance_type",
    oneOrMore(word),
    "type of the instance, such as `t4g.nano`; of several the first of which there is capacity.",
  ),
  keyName: requiredUnless(["launch_template"], "key_name", word, "name of the EC2 key pair."),
  subnetIds: defaulted(
    "subnet_id",
    oneOrMore(text, word),
    [],
    "AWS chooses",
    "subnet to start in; it decides the zone. Of several the first in which there is capacity.",
  ),
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
  deadManMs: optional(
    "dead_man",
    deadMan,
    "how long the machine runs on when it sees neither an SSH session nor lazyssh; then it powers itself off. Default: for ever.",
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
  spots: blocks("spot", spotTable, "spare capacity, cheaper, which EC2 may take back.", 1),
  ebsBlockDevices: blocks("ebs_block_device", ebsBlockDeviceTable, "a volume that is made with the machine."),
  placement: blocks("placement", placementTable, "where the machine starts.", 1),
  attachVolumes: blocks(
    "attach_volume",
    attachVolumeTable,
    "a volume of yours that is attached while the machine runs and outlives it.",
  ),
};

export type Ec2Section = Section<typeof awsEc2Table>;

/** People may log in here though another port says when the machine is ready. */
const SSH_PORT = 22;

/** User data with what `dead_man` puts into it; undefined without `dead_man`. */
export function armedUserData({ values }: Ec2Section): Merge | undefined {
  const { deadManMs, userData: given, checkPort } = values;
  return deadManMs === undefined
    ? undefined
    : mergeDeadMan(given, { ms: deadManMs, ports: [SSH_PORT, checkPort] });
}

export function awsEc2Target(name: string, section: Ec2Section): AwsEc2Target {
  const { values } = section;
  const {
    placement,
    images,
    launchTemplates,
    metadataOptions,
    spots,
    ebsBlockDevices,
    attachVolumes,
    instanceTypes,
    ...plain
  } = values;
  const launchTemplate = launchTemplates[0]?.values;
  const armed = armedUserData(section);
  return {
    type: "aws_ec2",
    name,
    ...machineFields(plain),
    portMap: new Map(),
    userData: armed && "text" in armed ? armed.text : plain.userData,
    instanceTypes: instanceTypes ?? [],
    spot: spots[0]?.values,
    image: images[0]?.values,
    launchTemplate,
    // What a template is for is to say such things.
    metadataOptions: metadataOptions[0]?.values ?? (launchTemplate ? undefined : METADATA_DEFAULT),
    availabilityZone: placement[0]?.values.availabilityZone,
    ebsBlockDevices: ebsBlockDevices.map((device) => device.values),
    attachVolumes: attachVolumes.map((volume) => volume.values),
  };
}
