import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ec2Error } from "../../../src/providers/aws-ec2/errors.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import { createRedact } from "../../../src/providers/aws-ec2/redact.ts";
import { type ErrorCode, LazysshError } from "../../../src/util/errors.ts";
import { ec2Failure, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import { describeInstancesXml, failureOf, isolateSdk, never, order } from "./fixture.ts";

const userData = "#cloud-config\nSSH_HOST_ED25519_KEY:-----BEGIN OPENSSH PRIVATE KEY-----|b3BlbnNzaC1rZXk|\n";
const launchTemplate = { id: undefined, name: "backup", version: "3" };
const target = targetWith({ subnetIds: ["subnet-1"], userData, launchTemplate, securityGroupIds: ["sg-1"] });
const call = {
  action: "RunInstances",
  place: "in region us-west-2",
  target,
  redact: createRedact(userData),
};

describe("what EC2 answers, through the SDK", () => {
  let ec2: ScriptedEc2;
  beforeEach(async () => {
    isolateSdk();
    ec2 = await startScriptedEc2();
  });
  afterEach(async () => {
    await ec2[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
  });

  const create = () =>
    failureOf(
      createAwsEc2Provider({ ...target, endpoint: ec2.endpoint }, { owner: "o" }).create(order("t"), never),
    );

  const final = false;
  const again = true;
  const answers: [string, number, ErrorCode, boolean, string][] = [
    ["InsufficientInstanceCapacity", 500, "NO_CAPACITY", final, "no t4g.nano in subnet-1 to be had now"],
    ["Unsupported", 400, "NO_CAPACITY", final, "another instance_type or zone"],
    ["InsufficientFreeAddressesInSubnet", 400, "NO_CAPACITY", final, ""],
    ["UnfulfillableCapacity", 400, "NO_CAPACITY", final, ""],
    ["SpotMaxPriceTooLow", 400, "NO_CAPACITY", final, "raise max_price"],
    ["VcpuLimitExceeded", 400, "NO_CAPACITY", final, "Service Quotas"],
    ["MaxSpotInstanceCountExceeded", 400, "NO_CAPACITY", final, "Service Quotas"],
    ["InvalidAMIID.NotFound", 400, "BAD_REQUEST", final, "image ami-1 does not exist at http"],
    ["InvalidAMIID.Malformed", 400, "BAD_REQUEST", final, "(region us-west-2)"],
    ["InvalidKeyPair.NotFound", 400, "BAD_REQUEST", final, "key pair operator does not exist"],
    ["InvalidSubnetID.NotFound", 400, "BAD_REQUEST", final, "subnet subnet-1 does not exist"],
    [
      "InvalidLaunchTemplateId.VersionNotFound",
      400,
      "BAD_REQUEST",
      final,
      "template backup version 3 does not",
    ],
    ["InvalidLaunchTemplateName.NotFoundException", 400, "BAD_REQUEST", final, "check launch_template"],
    ["InvalidGroup.NotFound", 400, "BAD_REQUEST", final, "(sg-1); check security_group_ids"],
    ["InvalidVolume.NotFound", 400, "BAD_REQUEST", final, "attach_volume"],
    ["InvalidParameterValue", 400, "BAD_REQUEST", final, "InvalidParameterValue: in the cloud's words"],
    ["SomethingNobodyHasSeen", 400, "BAD_REQUEST", final, "SomethingNobodyHasSeen"],
    ["UnauthorizedOperation", 403, "NOT_PERMITTED", final, "permission ec2:RunInstances"],
    ["OperationNotPermitted", 400, "NOT_PERMITTED", final, "protection"],
    ["AuthFailure.ServiceLinkedRoleCreationNotPermitted", 403, "NOT_PERMITTED", final, "spot.amazonaws.com"],
    ["UnsupportedOperation", 400, "BAD_REQUEST", final, "UnsupportedOperation"],
    ["InvalidParameterCombination", 400, "BAD_REQUEST", final, "InvalidParameterCombination"],
    ["IdempotentParameterMismatch", 400, "NOT_READY", again, "already ordered"],
    ["TagLimitExceeded", 400, "BAD_REQUEST", final, "see tags"],
    ["OptInRequired", 401, "NOT_PERMITTED", final, "subscribe"],
    ["AuthFailure", 401, "CREDENTIALS", final, "credentials"],
    ["ExpiredToken", 400, "CREDENTIALS", final, "expired"],
    ["RequestExpired", 400, "CREDENTIALS", final, "clock"],
    ["IdempotentInstanceTerminated", 400, "MACHINE_DIED", final, "terminated already"],
    ["RequestLimitExceeded", 503, "THROTTLED", again, "how often"],
    ["Throttling", 400, "THROTTLED", again, ""],
    ["TooManyRequestsOfAnotherCloud", 429, "THROTTLED", again, ""],
    ["InternalError", 500, "CLOUD_ERROR", again, "HTTP 500"],
    ["Unavailable", 503, "CLOUD_ERROR", again, "HTTP 503"],
    ["InvalidInstanceID.NotFound", 400, "MACHINE_NOT_FOUND", again, ""],
    ["IncorrectState", 400, "NOT_READY", again, ""],
    ["IncorrectInstanceState", 400, "NOT_READY", again, ""],
    ["VolumeInUse", 400, "VOLUME_BUSY", again, "attached elsewhere"],
    ["InvalidVolume.ZoneMismatch", 400, "VOLUME_MISMATCH", final, "its own zone"],
  ];
  test.each(answers)("%s (HTTP %i) is %s", async (name, status, code, retryable, words) => {
    ec2.on("RunInstances", ec2Failure(name, "in the cloud's words", status));
    ec2.on("DescribeInstances", describeInstancesXml([]));
    const error = await create();
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(words);
    expect(error.message).toContain("in the cloud's words");
    expect(error.message).toContain("target archiver: RunInstances failed");
    expect(error.cause).toMatchObject({ name, status });
    expect(ec2.requests.filter(({ action }) => action === "RunInstances")).toHaveLength(1);
  });

  test.each([
    ["InvalidAMIID.NotFound", "the image of launch template backup version 3 does not exist"],
    ["InvalidKeyPair.NotFound", "the key pair of launch template backup version 3 does not exist"],
    [
      "InsufficientInstanceCapacity",
      "no machine of launch template backup version 3 in subnet-1 to be had now",
    ],
  ])("%s of what the launch template says names the template", async (name, words) => {
    ec2.on("RunInstances", ec2Failure(name, "in the cloud's words"));
    const provider = createAwsEc2Provider(
      { ...target, endpoint: ec2.endpoint, imageId: undefined, instanceTypes: [], keyName: undefined },
      { owner: "o" },
    );
    expect((await failureOf(provider.create(order("t"), never))).message).toContain(words);
  });

  test("names the permission that the answer names, and leaves its encoded blob out", async () => {
    const said =
      "You are not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x. " +
      `Encoded authorization failure message: ${"QUJD".repeat(100)}`;
    ec2.on("RunInstances", ec2Failure("UnauthorizedOperation", said, 403));
    const error = await create();
    expect(error.message).toContain("permission iam:PassRole;");
    expect(error.message).not.toContain("QUJD");
  });

  test.each([
    ["base64", Buffer.from(userData).toString("base64")],
    ["half of the base64", Buffer.from(userData).toString("base64").slice(20, 80)],
    ["plain text", userData],
  ])("user data that the cloud repeats (%s) is in neither message nor cause", async (_, repeated) => {
    ec2.on("RunInstances", ec2Failure("InvalidParameterValue", `Value (${repeated}) of UserData is bad`));
    const error = await create();
    const shown = `${error.message}\n${error.stack}\n${JSON.stringify(error.cause)}\n${(error.cause as Error).stack}`;
    expect(shown).toContain("of UserData is bad");
    expect(shown).not.toContain("PRIVATE KEY");
    expect(shown).not.toContain(Buffer.from(userData).toString("base64").slice(24, 60));
  });

  test.each([
    ["a web page", { status: 200, body: "<html><p>Welcome</html>" }, "CLOUD_ERROR", again],
    ["a proxy's error page", { status: 502, body: "<h1>Bad Gateway</h1>" }, "CLOUD_ERROR", again],
    ["an error without a body", { status: 500, body: "" }, "CLOUD_ERROR", again],
    ["a refusal without a body", { status: 403, body: "" }, "BAD_REQUEST", final],
    ["a redirect", { status: 301, body: "", headers: { location: "http://x" } }, "BAD_REQUEST", final],
    ["a success without content", { status: 200, body: "" }, "CLOUD_ERROR", again],
  ] as const)("%s is told as what it is", async (_, answer, code, retryable) => {
    ec2.on("RunInstances", answer);
    expect(await create()).toMatchObject({ code, retryable });
  });
});

describe("what never reaches EC2", () => {
  const thrown = (name: string, more: object = {}) =>
    Object.assign(new Error("as it was said"), { name }, more);
  test.each([
    ["no credentials", thrown("CredentialsProviderError"), "CREDENTIALS", false],
    ["expired single sign-on", thrown("TokenProviderError"), "CREDENTIALS", false],
    ["no region", new Error("Region is missing"), "BAD_REQUEST", false],
    ["a region that is none", new Error('Region not accepted: region="us west"'), "BAD_REQUEST", false],
    ["connection refused", thrown("Error", { code: "ECONNREFUSED" }), "CLOUD_UNREACHABLE", true],
    ["connection reset", thrown("TimeoutError", { code: "ECONNRESET" }), "CLOUD_UNREACHABLE", true],
    ["unknown host", thrown("Error", { code: "ENOTFOUND" }), "CLOUD_UNREACHABLE", true],
    ["no DNS", thrown("Error", { code: "EAI_AGAIN" }), "CLOUD_UNREACHABLE", true],
    ["no route", thrown("Error", { code: "EHOSTUNREACH" }), "CLOUD_UNREACHABLE", true],
    ["timeout", thrown("TimeoutError"), "CLOUD_UNREACHABLE", true],
    ["code of the cause", thrown("Error", { cause: { code: "EPIPE" } }), "CLOUD_UNREACHABLE", true],
    [
      "strange certificate",
      thrown("Error", { code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
      "CLOUD_UNREACHABLE",
      false,
    ],
    ["not HTTP", thrown("Error", { code: "HPE_INVALID_CONSTANT" }), "CLOUD_ERROR", true],
    ["not a URL", thrown("TypeError", { code: "ERR_INVALID_URL" }), "BAD_REQUEST", false],
    // Its effect is unknown, so nobody may take it for "nothing was made".
    ["a fault of ours", new TypeError("x is not a function"), "INTERNAL", true],
  ] as const)("%s", (_, error, code, retryable) => {
    const mapped = ec2Error(error, call);
    expect(mapped).toMatchObject({ code, retryable });
    expect(mapped.message).toContain(error.message);
    expect(mapped.message).toContain("in region us-west-2");
  });

  test("each of a host's addresses that refused is named", () => {
    const refused = new AggregateError([
      new Error("connect ECONNREFUSED ::1:80"),
      new Error("and 127.0.0.1:80"),
    ]);
    const mapped = ec2Error(Object.assign(refused, { code: "ECONNREFUSED" }), call);
    expect(mapped.code).toBe("CLOUD_UNREACHABLE");
    expect(mapped.message).toContain("connect ECONNREFUSED ::1:80; and 127.0.0.1:80");
  });

  test("an error that is ours already stays as it is", () => {
    const ours = new LazysshError("VOLUME_BUSY", "vol-1 is in-use");
    expect(ec2Error(ours, call)).toBe(ours);
  });
});

describe("totality", () => {
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error("no property for you");
      },
    },
  );
  const property = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constant(undefined),
    fc.constant(hostile),
    fc.object(),
  );
  const shaped = fc
    .record(
      {
        name: property,
        message: property,
        code: property,
        stack: property,
        cause: property,
        errors: fc.oneof(property, fc.array(property)),
        $metadata: fc.oneof(property, fc.record({ httpStatusCode: fc.oneof(fc.integer(), property) })),
        $response: property,
      },
      { requiredKeys: [] },
    )
    .map((fields) => Object.assign(Object.create(null) as object, fields));
  const anything = fc.oneof(
    fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true }),
    shaped,
    shaped.map((fields) => Object.assign(new Error("e"), fields)),
    fc.constantFrom(hostile, Symbol("s"), Object.create(null), () => "f"),
  );

  test("any thrown value becomes a LazysshError that says something", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const error = ec2Error(value, call);
        expect(error).toBeInstanceOf(LazysshError);
        expect(error.message.length).toBeGreaterThan("target archiver: RunInstances failed".length);
        expect(error.message).not.toMatch(/[\n\r]/);
        expect(error.cause).toBeInstanceOf(Error);
      }),
      { numRuns: 1000 },
    );
  });

  test("a cause that refers to itself has an end", () => {
    const error: Error & { cause?: unknown } = new Error("round and round");
    error.cause = error;
    expect(ec2Error(error, call).message).toContain("round and round");
  });
});
