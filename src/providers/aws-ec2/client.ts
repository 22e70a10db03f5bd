import type {
  AttachVolumeCommandInput,
  AttachVolumeCommandOutput,
  CreateTagsCommandInput,
  DeleteTagsCommandInput,
  DescribeImagesCommandInput,
  DescribeImagesCommandOutput,
  DescribeInstancesCommandInput,
  DescribeInstancesCommandOutput,
  DescribeSpotInstanceRequestsCommandInput,
  DescribeSpotInstanceRequestsCommandOutput,
  DescribeSubnetsCommandInput,
  DescribeSubnetsCommandOutput,
  DescribeVolumesCommandInput,
  DescribeVolumesCommandOutput,
  EC2Client,
  EC2ClientConfig,
  RunInstancesCommandInput,
  RunInstancesCommandOutput,
  StartInstancesCommandInput,
  StopInstancesCommandInput,
  TerminateInstancesCommandInput,
  TerminateInstancesCommandOutput,
} from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import { ec2Error } from "./errors.ts";
import { placeOf, watchEndpoint } from "./place.ts";
import { createRedact } from "./redact.ts";

/** The few EC2 actions that lazyssh needs. Each throws `LazysshError`, or the signal's reason once it aborts. */
export interface Ec2 {
  /** @param order What is asked for, of all that the target allows: errors name it. */
  runInstances(
    input: RunInstancesCommandInput,
    signal: AbortSignal,
    order?: AwsEc2Target,
  ): Promise<RunInstancesCommandOutput>;
  describeInstances(
    input: DescribeInstancesCommandInput,
    signal: AbortSignal,
  ): Promise<DescribeInstancesCommandOutput>;
  terminateInstances(
    input: TerminateInstancesCommandInput,
    signal: AbortSignal,
  ): Promise<TerminateInstancesCommandOutput>;
  describeVolumes(
    input: DescribeVolumesCommandInput,
    signal: AbortSignal,
  ): Promise<DescribeVolumesCommandOutput>;
  describeImages(
    input: DescribeImagesCommandInput,
    signal: AbortSignal,
  ): Promise<DescribeImagesCommandOutput>;
  /** @param order The target with the one subnet that is asked for: errors name it. */
  describeSubnets(
    input: DescribeSubnetsCommandInput,
    signal: AbortSignal,
    order?: AwsEc2Target,
  ): Promise<DescribeSubnetsCommandOutput>;
  describeSpotInstanceRequests(
    input: DescribeSpotInstanceRequestsCommandInput,
    signal: AbortSignal,
  ): Promise<DescribeSpotInstanceRequestsCommandOutput>;
  attachVolume(input: AttachVolumeCommandInput, signal: AbortSignal): Promise<AttachVolumeCommandOutput>;
  createTags(input: CreateTagsCommandInput, signal: AbortSignal): Promise<unknown>;
  deleteTags(input: DeleteTagsCommandInput, signal: AbortSignal): Promise<unknown>;
  startInstances(input: StartInstancesCommandInput, signal: AbortSignal): Promise<unknown>;
  stopInstances(input: StopInstancesCommandInput, signal: AbortSignal): Promise<unknown>;
}

/** In milliseconds. */
export interface Timeouts {
  /** Until the connection stands. */
  readonly connect: number;
  /** Until the answer begins, and again for each silence within it. */
  readonly request: number;
}

const DEFAULT_TIMEOUTS: Timeouts = { connect: 5_000, request: 30_000 };
/** Reads are made again by the SDK; of what has an effect, the lifecycle must hear each failure. */
const READ_ATTEMPTS = 3;

/** Keeps the SDK from writing to the console, where our log is. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

type Sdk = typeof import("@aws-sdk/client-ec2");

interface Loaded {
  readonly sdk: Sdk;
  readonly reader: EC2Client;
  readonly writer: EC2Client;
  readonly endpoint: () => string | undefined;
}

/**
 * The EC2 API of a target. The SDK is loaded by the first call, so that a server at rest does not carry it. Region,
 * profile, endpoint and credentials come from the target, and what it leaves out from the SDK's own chain.
 */
export function createEc2(target: AwsEc2Target, timeouts: Timeouts = DEFAULT_TIMEOUTS): Ec2 {
  const redact = createRedact(target.userData);
  let loading: Promise<Loaded> | undefined;

  const load = (): Promise<Loaded> => {
    loading ??= connect(target, timeouts).catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };

  async function call<T>(
    action: string,
    signal: AbortSignal,
    send: (loaded: Loaded, options: { abortSignal: AbortSignal }) => Promise<T>,
    order: AwsEc2Target = target,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      return await unlessAborted(
        load().then((loaded) => send(loaded, { abortSignal: signal })),
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      const loaded = await loading?.catch(() => undefined);
      const place = await unlessAborted(placeOf(target, loaded?.reader, loaded?.endpoint()), signal);
      throw ec2Error(error, { action, place, target: order, redact });
    }
  }

  return {
    runInstances: (input, signal, order) =>
      call(
        "RunInstances",
        signal,
        ({ sdk, writer }, options) => writer.send(new sdk.RunInstancesCommand(input), options),
        order,
      ),
    describeInstances: (input, signal) =>
      call("DescribeInstances", signal, ({ sdk, reader }, options) =>
        reader.send(new sdk.DescribeInstancesCommand(input), options),
      ),
    terminateInstances: (input, signal) =>
      call("TerminateInstances", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.TerminateInstancesCommand(input), options),
      ),
    describeVolumes: (input, signal) =>
      call("DescribeVolumes", signal, ({ sdk, reader }, options) =>
        reader.send(new sdk.DescribeVolumesCommand(input), options),
      ),
    describeImages: (input, signal) =>
      call("DescribeImages", signal, ({ sdk, reader }, options) =>
        reader.send(new sdk.DescribeImagesCommand(input), options),
      ),
    describeSubnets: (input, signal, order) =>
      call(
        "DescribeSubnets",
        signal,
        ({ sdk, reader }, options) => reader.send(new sdk.DescribeSubnetsCommand(input), options),
        order,
      ),
    describeSpotInstanceRequests: (input, signal) =>
      call("DescribeSpotInstanceRequests", signal, ({ sdk, reader }, options) =>
        reader.send(new sdk.DescribeSpotInstanceRequestsCommand(input), options),
      ),
    attachVolume: (input, signal) =>
      call("AttachVolume", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.AttachVolumeCommand(input), options),
      ),
    createTags: (input, signal) =>
      call("CreateTags", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.CreateTagsCommand(input), options),
      ),
    deleteTags: (input, signal) =>
      call("DeleteTags", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.DeleteTagsCommand(input), options),
      ),
    startInstances: (input, signal) =>
      call("StartInstances", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.StartInstancesCommand(input), options),
      ),
    stopInstances: (input, signal) =>
      call("StopInstances", signal, ({ sdk, writer }, options) =>
        writer.send(new sdk.StopInstancesCommand(input), options),
      ),
  };
}

async function connect(target: AwsEc2Target, timeouts: Timeouts): Promise<Loaded> {
  const sdk = await import("@aws-sdk/client-ec2");
  // Our log on stderr is read line by line; which SDK runs on which Node is decided by package.json, not by the user.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const config: EC2ClientConfig = {
    logger: SILENT,
    ...(target.region !== undefined && { region: target.region }),
    ...(target.profile !== undefined && { profile: target.profile }),
    ...(target.endpoint !== undefined && { endpoint: target.endpoint }),
    requestHandler: {
      connectionTimeout: timeouts.connect,
      requestTimeout: timeouts.request,
      socketTimeout: timeouts.request,
      throwOnRequestTimeout: true,
    },
  };
  const reader = new sdk.EC2Client({ ...config, maxAttempts: READ_ATTEMPTS });
  const { credentials, requestHandler } = reader.config;
  const writer = new sdk.EC2Client({ ...config, credentials, requestHandler, maxAttempts: 1 });
  const [readFrom, writtenTo] = [watchEndpoint(reader), watchEndpoint(writer)];
  return { sdk, reader, writer, endpoint: () => readFrom() ?? writtenTo() };
}

/** The work, or the signal's reason as soon as it aborts: the SDK does not watch it while it looks for credentials. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
