import { defaulted, optional, required } from "../decode/row.ts";
import { boolean, listOf, no, ok, oneOf, refined, text, wholeNumber } from "../decode/value-type.ts";
import type { MetadataOptions } from "../types.ts";
import { word } from "./common.ts";

const LARGEST_INT32 = 2_147_483_647;

const owner = refined(word, "string", (given) =>
  /^\d+$/.test(given) && given.length !== 12
    ? no("The id of an AWS account has 12 digits. In quotes, a zero in front of it stays.")
    : ok(given),
);

const owners = refined(listOf(owner), "list of strings", (given) =>
  given.length === 0 ? no("Anybody may give an image any name: say whose it must be.") : ok(given),
);

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

export const METADATA_DEFAULT: MetadataOptions = {
  httpTokens: metadataOptionsTable.httpTokens.fallback,
  httpPutResponseHopLimit: undefined,
  httpEndpoint: undefined,
};

/** Checked as a number, kept as it is written: EC2 takes a string. */
const price = refined(text, "string", (given) => {
  const plain = given.trim();
  return /^\d+(?:\.\d+)?$/.test(plain) && Number(plain) > 0
    ? ok(plain)
    : no('A price in US dollars per hour is needed, such as "0.05"; it must be more than nothing.');
});

/** `spot { … }` */
export const spotTable = {
  maxPrice: optional(
    "max_price",
    price,
    "what may be paid at most, in US dollars per hour. Default: the on-demand price.",
  ),
  fallback: defaulted(
    "fallback",
    oneOf("on-demand", "none"),
    "none",
    '"none"',
    "what is ordered where there is no spot capacity: the same `on-demand`, or nothing.",
  ),
};
