import type { HostKeyConfig, LimitsConfig, Revocations, UserConfig } from "./access.ts";
import type { ReplicateJob } from "./replicate.ts";

/** A configuration that has been validated and resolved: everything present, nothing to default again. */
export interface Config {
  /** The file it was read from, as the user named it. */
  readonly file: string;
  readonly server: ServerConfig;
  /** In the order of the file; names are unique. */
  readonly targets: readonly TargetConfig[];
  /** For `lazyssh replicate`, in the order of the file; names are unique. A server does nothing with them. */
  readonly jobs: readonly ReplicateJob[];
}

export interface ServerConfig {
  /** Where to listen. Default `localhost:7922`; port 0 lets the system choose. */
  readonly listen: HostPort;
  /** At least one, and no two are the same. Of those of one type the first is used, the others are announced. */
  readonly hostKeys: readonly HostKeyConfig[];
  /** At least one, in the order of the file; the one of `authorized_key` first. */
  readonly users: readonly UserConfig[];
  readonly revoked: Revocations;
  readonly limits: LimitsConfig;
  /** How long connections may go on after SIGTERM, in milliseconds, before they are ended. Default 0. */
  readonly drainMs: number;
  /** Where intent is written down before effects. Undefined: the command line or the environment decides. */
  readonly stateDir: string | undefined;
  /**
   * Servers of the same group share the machines of the targets that they have in common. Undefined: this server's machines are
   * its own.
   */
  readonly group: string | undefined;
  /** How many machines may exist at once, of all targets. Undefined: any number. */
  readonly maxMachines: number | undefined;
  /** Where metrics are served over HTTP. Undefined: nowhere. */
  readonly metrics: HostPort | undefined;
  /** Processes that connections are spread over. 0 and 1: this one has them all. Default 0. */
  readonly workers: number;
}

export interface HostPort {
  /** Host name or IP address without brackets; "" means every address. */
  readonly host: string;
  readonly port: number;
}

/** An SSH public key as an authorized_keys line gives it. */
export interface PublicKey {
  /** Key type, for example `ssh-ed25519`. */
  readonly type: string;
  /** The wire format blob (RFC 4253 §6.6). */
  readonly blob: Buffer;
  readonly comment: string;
}

export type TargetConfig = ForwardTarget | MachineTargetConfig;

/** The targets behind which a machine is started and stopped. */
export type MachineTargetConfig = AwsEc2Target | CommandTarget;

/** A fixed address that is dialled; nothing is started or stopped. */
export interface ForwardTarget {
  readonly type: "forward";
  readonly name: string;
  /** Host to dial; the port is the one the client asks for. */
  readonly to: string;
  /** TCP ports that channels may reach. Undefined: any. */
  readonly ports: readonly number[] | undefined;
}

/** What every machine-starting target has. */
export interface MachineTarget {
  readonly name: string;
  /** TCP port that must answer before connections go through. Default 22. */
  readonly checkPort: number;
  /** TCP ports that channels may reach. Undefined: any. */
  readonly ports: readonly number[] | undefined;
  /** Which port of the address is connected to instead of one of the machine's. One that is not in it stands for itself. */
  readonly portMap: ReadonlyMap<number, number>;
  /**
   * What counts as an answer on `checkPort`: `ssh` a line `SSH-2.0-…`, `tcp` an accepted connection, `auto` (default)
   * an SSH line on any port, but on a port other than 22 a connection that stays open in silence for 15 s will do.
   */
  readonly ready: "auto" | "ssh" | "tcp";
  /** One machine for all connections (default), or one for each client connection. */
  readonly shared: boolean;
  /** How long the machine is kept after the last connection, in milliseconds. Default 0. */
  readonly lingerMs: number;
  /** How long a start may take, from the order to readiness, in milliseconds. Default 5 minutes. */
  readonly bootTimeoutMs: number;
  /**
   * How long a machine may serve, in milliseconds, whoever uses it; then it is stopped. Undefined (default): as long as
   * it is used. Counted from its readiness, and anew when lazyssh takes it over after a restart.
   */
  readonly maxLifetimeMs: number | undefined;
  /** How long the channels may all be silent, in milliseconds, before the machine is stopped under them. Undefined: for ever. */
  readonly idleTimeoutMs: number | undefined;
  /** How many machines of this target may exist at once (with `shared = false`). Undefined: any number. */
  readonly maxMachines: number | undefined;
  /** `budget { hours_per_day }`: machine time per day (UTC), in milliseconds. Undefined: any. */
  readonly budgetMsPerDay: number | undefined;
  /** What is run on the machine before it is stopped. */
  readonly beforeStop: BeforeStop | undefined;
  /** What becomes of the machine when nobody needs it. Default `terminate`; the others keep its disks and start it again. */
  readonly stopMode: "terminate" | "stop" | "hibernate";
  /** Price of a running machine in US dollars per hour, for `lazyssh status`. */
  readonly hourlyPrice: number | undefined;
}

/** `before_stop`: commands over SSH on the machine, such as `zpool export`, before it is stopped. */
export interface BeforeStop {
  /** Each an argv list; run one after the other, as the login shell of the user takes them. At least one. */
  readonly commands: readonly (readonly string[])[];
  /** Default `root`. */
  readonly user: string;
  /** Private key in PEM or OpenSSH format, without a passphrase. Sensitive. */
  readonly privateKey: string;
  /** The machine's host key. Undefined: any is taken. */
  readonly hostKey: PublicKey | undefined;
  /** For all commands together, in milliseconds. Default 2 minutes. */
  readonly timeoutMs: number;
}

export interface AwsEc2Target extends MachineTarget {
  readonly type: "aws_ec2";
  /** The AMI, or `resolve:ssm:` and a parameter's name. Never together with `image`; undefined too when the template has it. */
  readonly imageId: string | undefined;
  /** The AMI as a search, made at each launch. */
  readonly image: ImageSearch | undefined;
  /** What the other attributes do not say is left to it. Without it, type, key and one of the images are there. */
  readonly launchTemplate: LaunchTemplate | undefined;
  /** In the order of preference; empty only with a launch template. */
  readonly instanceTypes: readonly string[];
  readonly keyName: string | undefined;
  /** In the order of preference; empty leaves it to the cloud. */
  readonly subnetIds: readonly string[];
  /** Undefined: on demand. */
  readonly spot: Spot | undefined;
  /**
   * How long the guest runs on when it sees neither an SSH session nor a refresh of its expiry tag, in milliseconds. The fragment that
   * does it is in `userData` already. Undefined: for ever.
   */
  readonly deadManMs: number | undefined;
  /** Empty leaves it to the cloud: the default group of the VPC. */
  readonly securityGroupIds: readonly string[];
  /** Undefined leaves it to the subnet. */
  readonly associatePublicIpAddress: boolean | undefined;
  /** Undefined leaves them to the launch template. */
  readonly metadataOptions: MetadataOptions | undefined;
  /** The user's own, for the instance and its volumes, beside those by which machines are found again. */
  readonly tags: Readonly<Record<string, string>>;
  /** Plain text, not yet base64; at most 16384 bytes. Sensitive: it may hold host keys. */
  readonly userData: string | undefined;
  readonly iamInstanceProfile: string | undefined;
  /** Profile of the local AWS configuration; undefined leaves it to the SDK. */
  readonly profile: string | undefined;
  readonly region: string | undefined;
  /** URL of another cloud that speaks the EC2 API; undefined is AWS itself (or AWS_ENDPOINT_URL_EC2). */
  readonly endpoint: string | undefined;
  /** Which of the instance's addresses is dialled. Undefined: public, and private when there is no public one. */
  readonly address: "public" | "private" | "ipv6" | undefined;
  readonly availabilityZone: string | undefined;
  readonly ebsBlockDevices: readonly EbsBlockDevice[];
  readonly attachVolumes: readonly AttachVolume[];
}

/** A machine that the user's own programs start and stop. Commands are argv lists, and run by no shell. */
export interface CommandTarget extends MachineTarget {
  readonly type: "command";
  readonly start: readonly string[];
  /** `start` is the machine: its exit is the machine's end. Otherwise `stop` and `status` are there. */
  readonly foreground: boolean;
  /** Undefined, only with `foreground`: SIGTERM. */
  readonly stop: readonly string[] | undefined;
  /** Exit code 0 says that it runs, one of `stoppedExitCodes` that it does not, any other nothing. */
  readonly status: readonly string[] | undefined;
  readonly stoppedExitCodes: readonly number[];
  /** Host to dial. Exactly one of this and `addressCommand` is there. */
  readonly to: string | undefined;
  /** Prints the host to dial as its first line. */
  readonly addressCommand: readonly string[] | undefined;
  /** Beside what all commands have. Sensitive. */
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined: `/`. */
  readonly workingDirectory: string | undefined;
  /** In milliseconds. Default 2 minutes; without effect on `start` in the foreground. */
  readonly startTimeoutMs: number;
  /** From the first attempt to stop the machine to its end, in milliseconds. Default 2 minutes. */
  readonly stopTimeoutMs: number;
  /** Of `status` and `addressCommand`, in milliseconds. Default 10 s. */
  readonly statusTimeoutMs: number;
}

/** One `ebs_block_device` block: a volume made with the instance. */
export interface EbsBlockDevice {
  readonly deviceName: string;
  readonly deleteOnTermination: boolean | undefined;
  readonly encrypted: boolean | undefined;
  readonly kmsKeyId: string | undefined;
  readonly snapshotId: string | undefined;
  /** GiB. */
  readonly volumeSize: number | undefined;
  readonly volumeType: string | undefined;
  readonly iops: number | undefined;
  /** MiB/s. */
  readonly throughput: number | undefined;
}

/** `image`: what to look for among the images. */
export interface ImageSearch {
  /** Account ids, `self`, `amazon` or another alias; at least one. */
  readonly owners: readonly string[];
  /** May hold the wildcards `*` and `?`. */
  readonly name: string;
  /** Of several the one made last; otherwise more than one is an error. */
  readonly mostRecent: boolean;
}

/** `launch_template`: exactly one of id and name is there. */
export interface LaunchTemplate {
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** A number, `$Latest` or `$Default`; undefined is the template's default version. */
  readonly version: string | undefined;
}

/** `spot`: spare capacity, which EC2 may take back with two minutes' notice. */
export interface Spot {
  /** US dollars per hour, as a decimal. Undefined: up to the on-demand price. */
  readonly maxPrice: string | undefined;
  /** What is ordered where there is no spot capacity: `on-demand`, or nothing. Default `none`. */
  readonly fallback: "on-demand" | "none";
}

/** `metadata_options`: the service at 169.254.169.254, from which the guest has its user data and credentials. */
export interface MetadataOptions {
  /** `required` is IMDSv2 only. */
  readonly httpTokens: "required" | "optional";
  readonly httpPutResponseHopLimit: number | undefined;
  readonly httpEndpoint: "enabled" | "disabled" | undefined;
}

/** One `attach_volume` block: a volume that outlives the instance. */
export interface AttachVolume {
  readonly deviceName: string;
  readonly volumeId: string;
}
