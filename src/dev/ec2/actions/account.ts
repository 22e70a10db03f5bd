import { createHash } from "node:crypto";
import { Ec2Error } from "../../cloud/error.ts";
import { importKeyPair } from "../../cloud/key-pairs.ts";
import { DEV_IMAGE, IMAGES, OWNER_ID, REGION, SUBNETS, VPC_ID } from "../../cloud/region.ts";
import type { KeyPair } from "../../cloud/state.ts";
import type { ActionTable } from "../action.ts";
import { applyFilters } from "../filter.ts";
import type { XmlFields } from "../xml.ts";

/** The account's furniture, which never changes, and its key pairs. */
export const accountActions: ActionTable = {
  DescribeSubnets: (params) => {
    const ids = params.list("SubnetId");
    const unknown = ids.find((id) => !SUBNETS.some((subnet) => subnet.id === id));
    if (unknown !== undefined) {
      throw new Ec2Error("InvalidSubnetID.NotFound", `The subnet ID '${unknown}' does not exist`);
    }
    const asked = SUBNETS.filter(({ id }) => ids.length === 0 || ids.includes(id));
    const found = applyFilters(params, asked, (subnet, name) => {
      switch (name) {
        case "subnet-id":
          return [subnet.id];
        case "availability-zone":
        case "availabilityZone":
          return [subnet.zone];
        case "vpc-id":
          return [VPC_ID];
        case "state":
          return ["available"];
        default:
          return name.startsWith("tag") ? [] : undefined;
      }
    });
    return {
      subnetSet: found.map(({ id, zone, cidr }) => ({
        subnetId: id,
        state: "available",
        vpcId: VPC_ID,
        cidrBlock: cidr,
        availableIpAddressCount: 4091,
        availabilityZone: zone,
        defaultForAz: true,
        mapPublicIpOnLaunch: true,
        ownerId: OWNER_ID,
      })),
    };
  },
  DescribeAvailabilityZones: (params) => {
    const asked = params.list("ZoneName");
    const zones = SUBNETS.filter(({ zone }) => asked.length === 0 || asked.includes(zone));
    const unknown = asked.find((zone) => !SUBNETS.some((subnet) => subnet.zone === zone));
    if (unknown !== undefined) {
      throw new Ec2Error("InvalidParameterValue", `Invalid availability zone: [${unknown}]`);
    }
    return {
      availabilityZoneInfo: zones.map(({ zone }) => ({
        zoneName: zone,
        zoneState: "available",
        regionName: REGION,
        zoneType: "availability-zone",
      })),
    };
  },
  DescribeImages: (params) => {
    const ids = params.list("ImageId");
    const unknown = ids.find((id) => !IMAGES.some((image) => image.id === id));
    if (unknown !== undefined) {
      throw new Ec2Error("InvalidAMIID.NotFound", `The image id '[${unknown}]' does not exist`);
    }
    // Every image is the account's own.
    const owners = params.list("Owner");
    const isOwners = owners.length === 0 || owners.includes("self") || owners.includes(OWNER_ID);
    const asked = IMAGES.filter(({ id }) => isOwners && (ids.length === 0 || ids.includes(id)));
    const found = applyFilters(params, asked, (image, name) => {
      switch (name) {
        case "image-id":
          return [image.id];
        case "name":
          return [image.name];
        case "architecture":
          return [image.architecture];
        case "state":
          return ["available"];
        default:
          return name.startsWith("tag") ? [] : undefined;
      }
    });
    return {
      imagesSet: found.map((image) => ({
        imageId: image.id,
        name: image.name,
        imageState: "available",
        creationDate: image.created,
        imageOwnerId: OWNER_ID,
        isPublic: image.id !== DEV_IMAGE,
        architecture: image.architecture,
        rootDeviceType: "ebs",
        rootDeviceName: image.rootDevice,
        virtualizationType: "hvm",
      })),
    };
  },
  DescribeKeyPairs: (params, { cloud }) => {
    const names = params.list("KeyName");
    const unknown = names.find((name) => !cloud.keyPairs.has(name));
    if (unknown !== undefined) {
      throw new Ec2Error("InvalidKeyPair.NotFound", `The key pair '${unknown}' does not exist`);
    }
    const pairs = [...cloud.keyPairs.values()].filter(
      ({ name }) => names.length === 0 || names.includes(name),
    );
    const found = applyFilters(params, pairs, (pair, name) => {
      if (name === "key-name") return [pair.name];
      if (name === "key-pair-id") return [pair.id];
      return name.startsWith("tag") ? [] : undefined;
    });
    return { keySet: found.map(renderKeyPair) };
  },
  ImportKeyPair: (params, { cloud }) => {
    const name = params.required("KeyName");
    const publicKey = Buffer.from(params.required("PublicKeyMaterial"), "base64").toString().trim();
    if (cloud.keyPairs.has(name)) {
      throw new Ec2Error("InvalidKeyPair.Duplicate", `The keypair '${name}' already exists.`);
    }
    const pair = importKeyPair(cloud, name, publicKey);
    return renderKeyPair(pair);
  },
};

function renderKeyPair(pair: KeyPair): XmlFields {
  const [, blob = ""] = pair.publicKey.split(" ");
  return {
    keyName: pair.name,
    keyPairId: pair.id,
    keyFingerprint: createHash("sha256").update(Buffer.from(blob, "base64")).digest("base64"),
  };
}
