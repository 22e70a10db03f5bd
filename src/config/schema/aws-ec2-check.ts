import type { Decoder } from "../decode/decoder.ts";
import type { Ec2Section } from "./aws-ec2.ts";
import { checkDeadMan } from "./dead-man-check.ts";
import { checkMachine } from "./machine-check.ts";

const VOLUME_ID = /^vol-[0-9a-z]+$/i;
const GROUP_ID = /^sg-[0-9a-z]+$/i;

/**
 * What is wrong though each argument by itself is right. Only warnings for arguments of the older program, which loaded
 * such a file, and left it to EC2 to refuse it.
 */
export function checkAwsEc2(section: Ec2Section, family: boolean, decoder: Decoder): void {
  const { values } = section;
  checkMachine(section, family, decoder);
  if (family) checkFamily(section, decoder);
  checkImage(section, decoder);
  checkNetwork(section, decoder);
  checkSpot(section, decoder);
  checkDeadMan(section, decoder);
  if (
    values.attachVolumes[0] &&
    values.placement[0]?.values.availabilityZone === undefined &&
    values.subnetIds.length === 0 &&
    values.launchTemplates.length === 0
  ) {
    decoder.warning(
      values.attachVolumes[0].header,
      "The machine may start in another zone than its volume",
      'A volume can only be attached within its zone. Add placement { availability_zone = "…" } or a subnet_id.',
    );
  }
  if (values.attachVolumes.length > 0 && values.subnetIds.length > 1) {
    decoder.warning(
      section.span("subnetIds"),
      "The machine may start in another zone than its volume",
      "A volume can only be attached within its zone: all of these subnets must be in it.",
    );
  }
  for (const device of values.ebsBlockDevices) {
    const { volumeType, iops, throughput } = device.values;
    if (throughput !== undefined && volumeType !== undefined && volumeType !== "gp3") {
      decoder.error(
        device.span("throughput"),
        "Conflicting configuration arguments",
        `Only volumes of type "gp3" have a "throughput"; this one is of type "${volumeType}".`,
      );
    }
    if ((volumeType === "io1" || volumeType === "io2") && iops === undefined) {
      decoder.warning(
        device.span("volumeType"),
        "Missing argument",
        `A volume of type "${volumeType}" needs the argument "iops".`,
      );
    }
  }
  for (const volume of values.attachVolumes) {
    if (!VOLUME_ID.test(volume.values.volumeId)) {
      decoder.warning(
        volume.span("volumeId"),
        "Not the id of a volume",
        'The id of an EBS volume is needed, such as "vol-0123456789abcdef0".',
      );
    }
  }
  const seen = new Set<string>();
  for (const device of [...values.ebsBlockDevices, ...values.attachVolumes]) {
    const { deviceName } = device.values;
    if (seen.has(deviceName)) {
      decoder.warning(
        device.span("deviceName"),
        "Duplicate device name",
        "Another volume of this target has the same device name.",
      );
    }
    seen.add(deviceName);
  }
}

/** One machine for each name, and what only one of them could have. */
function checkFamily({ values }: Ec2Section, decoder: Decoder): void {
  for (const volume of values.attachVolumes) {
    decoder.error(
      volume.header,
      "Volume of a family",
      "Each name that matches the address has its own machine, and only one of them could have this volume. Give the target that is to have it an address without wildcards.",
    );
  }
}

/** The image is given once: here, by a search, or by the template. */
function checkImage({ values }: Ec2Section, decoder: Decoder): void {
  const [image] = values.images;
  if (image && values.imageId !== undefined) {
    decoder.error(
      image.header,
      "Conflicting configuration arguments",
      'The argument "image_id" and a block "image" both say which image to start. Leave one of them out.',
    );
  }
  for (const template of values.launchTemplates) {
    const { id, name } = template.values;
    if (id !== undefined && name !== undefined) {
      decoder.error(
        template.span("name"),
        "Conflicting configuration arguments",
        'A launch template is given by its "id" or by its "name". Leave one of them out.',
      );
    }
    if (id === undefined && name === undefined) {
      decoder.error(
        template.header,
        "Missing required argument",
        'A launch template is given by its "id" or by its "name", and neither was found.',
      );
    }
  }
}

function checkNetwork(section: Ec2Section, decoder: Decoder): void {
  const { values } = section;
  if (values.associatePublicIpAddress === false && values.address === "public") {
    decoder.warning(
      section.span("associatePublicIpAddress"),
      "The machine may have no address to connect to",
      'With address = "public" the machine is connected to at its public address, and here it is to have none.',
    );
  }
  if (!values.securityGroupIds.every((id) => GROUP_ID.test(id))) {
    decoder.warning(
      section.span("securityGroupIds"),
      "Not the id of a security group",
      'Ids of security groups are needed, such as "sg-0123456789abcdef0"; names will not do.',
    );
  }
}

function checkSpot({ values }: Ec2Section, decoder: Decoder): void {
  const [spot] = values.spots;
  if (!spot || values.stopMode === "terminate") return;
  decoder.error(
    spot.header,
    "Conflicting configuration arguments",
    `A spot instance of lazyssh's cannot be stopped and started again, which stop_mode = "${values.stopMode}" asks for. Leave one of them out.`,
  );
}
