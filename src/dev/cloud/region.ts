/** The fixed furniture of the emulated account: one region, four zones, one image, one owner. */
export const REGION = "us-west-2";
export const DEFAULT_ZONE = "us-west-2d";
export const OWNER_ID = "123456789012";
export const VPC_ID = "vpc-0de7000000000000a";
export const DEFAULT_GROUP_ID = "sg-0de7000000000000a";

export interface Subnet {
  readonly id: string;
  readonly zone: string;
  readonly cidr: string;
}

export const SUBNETS: readonly Subnet[] = ["a", "b", "c", "d"].map((letter, index) => ({
  id: `subnet-0de700000000000${letter}0`,
  zone: `${REGION}${letter}`,
  cidr: `127.${64 + index * 16}.0.0/12`,
}));

export interface Image {
  readonly id: string;
  readonly name: string;
  readonly rootDevice: string;
  /** GiB. */
  readonly rootSize: number;
  readonly architecture: "arm64" | "x86_64";
  /** ISO 8601, UTC. */
  readonly created: string;
}

/** What a generated configuration names. */
export const DEV_IMAGE = "ami-0de70000000000001";

export const IMAGES: readonly Image[] = [
  {
    id: DEV_IMAGE,
    name: "lazyssh-dev",
    rootDevice: "/dev/xvda",
    rootSize: 8,
    architecture: "arm64",
    created: "2026-02-01T00:00:00.000Z",
  },
  {
    id: "ami-0123456789abcdef0",
    name: "lazyssh-example",
    rootDevice: "/dev/xvda",
    rootSize: 8,
    architecture: "x86_64",
    created: "2026-01-01T00:00:00.000Z",
  },
];

/** What `resolve:ssm:NAME` finds: ids of images. */
export const IMAGE_PARAMETERS: ReadonlyMap<string, string> = new Map([["/lazyssh/dev-image", DEV_IMAGE]]);

/** What a launch template says of an instance. */
interface TemplateVersion {
  readonly imageId: string;
  readonly instanceType: string;
  readonly keyName: string;
}

export interface LaunchTemplate {
  readonly id: string;
  readonly name: string;
  /** From 1; the first is the default. */
  readonly versions: readonly TemplateVersion[];
}

export const LAUNCH_TEMPLATES: readonly LaunchTemplate[] = [
  {
    id: "lt-0de70000000000001",
    name: "lazyssh-dev",
    versions: ["t4g.nano", "t4g.small"].map((instanceType) => ({
      imageId: DEV_IMAGE,
      instanceType,
      keyName: "lazyssh-dev",
    })),
  },
];
