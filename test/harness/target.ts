import type { AwsEc2Target, CommandTarget, MachineTarget } from "../../src/config/types.ts";

const machine: MachineTarget = {
  name: "archiver",
  checkPort: 22,
  ports: undefined,
  portMap: new Map(),
  ready: "auto",
  shared: true,
  lingerMs: 0,
  bootTimeoutMs: 300_000,
  maxLifetimeMs: undefined,
  idleTimeoutMs: undefined,
  maxMachines: undefined,
  budgetMsPerDay: undefined,
  beforeStop: undefined,
  stopMode: "terminate",
  hourlyPrice: undefined,
};

/** A target with nothing optional in it. */
export function targetWith(patch: Partial<AwsEc2Target> = {}): AwsEc2Target {
  return {
    ...machine,
    type: "aws_ec2",
    imageId: "ami-1",
    image: undefined,
    launchTemplate: undefined,
    securityGroupIds: [],
    associatePublicIpAddress: undefined,
    metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: undefined, httpEndpoint: undefined },
    tags: {},
    instanceTypes: ["t4g.nano"],
    keyName: "operator",
    subnetIds: [],
    spot: undefined,
    deadManMs: undefined,
    userData: undefined,
    iamInstanceProfile: undefined,
    profile: undefined,
    region: "us-west-2",
    endpoint: undefined,
    address: undefined,
    availabilityZone: undefined,
    ebsBlockDevices: [],
    attachVolumes: [],
    ...patch,
  };
}

/** A machine that is a process here. */
export function commandTarget(patch: Partial<CommandTarget> = {}): CommandTarget {
  return {
    ...machine,
    type: "command",
    start: ["sleep", "60"],
    foreground: true,
    stop: undefined,
    status: undefined,
    stoppedExitCodes: [3],
    to: "127.0.0.1",
    addressCommand: undefined,
    environment: {},
    workingDirectory: undefined,
    startTimeoutMs: 20_000,
    stopTimeoutMs: 20_000,
    statusTimeoutMs: 20_000,
    ...patch,
  };
}
