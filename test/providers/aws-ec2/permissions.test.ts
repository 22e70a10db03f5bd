import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { AwsEc2Target } from "../../../src/config/types.ts";
import { createEc2 } from "../../../src/providers/aws-ec2/client.ts";
import { createAwsEc2Provider } from "../../../src/providers/aws-ec2/provider.ts";
import type { Provider } from "../../../src/providers/index.ts";
import { ec2Success, type ScriptedEc2, startScriptedEc2 } from "../../harness/scripted-ec2.ts";
import { targetWith } from "../../harness/target.ts";
import {
  attachmentXml,
  describeInstancesXml,
  describeVolumesXml,
  instanceXml,
  isolateSdk,
  never,
  order,
  sdf,
  volumeXml,
} from "./fixture.ts";

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const page = readFileSync(new URL("../../../docs/targets/aws_ec2.md", import.meta.url), "utf8");
const statements = statementsIn(page);

let ec2: ScriptedEc2;
beforeAll(async () => {
  ec2 = await startScriptedEc2();
});
afterAll(() => ec2[Symbol.asyncDispose]());
beforeEach(() => {
  isolateSdk();
  const spotMachine = instanceXml("i-1", "running", "<instanceLifecycle>spot</instanceLifecycle>");
  ec2.on("DescribeInstances", describeInstancesXml([spotMachine]));
  ec2.on("DescribeVolumes", describeVolumesXml(volumeXml("vol-1", "available")));
  ec2.on("AttachVolume", ec2Success("AttachVolume", attachmentXml({ instance: "i-1" })));
  const image =
    "<imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState></item></imagesSet>";
  ec2.on("DescribeImages", ec2Success("DescribeImages", image));
  const launched = `<instancesSet>${instanceXml("i-1", "pending")}</instancesSet>`;
  ec2.on("RunInstances", ec2Success("RunInstances", launched));
  const plain = ["CreateTags", "DeleteTags", "DescribeSpotInstanceRequests", "DescribeSubnets"];
  for (const action of [...plain, "StartInstances", "StopInstances", "TerminateInstances"]) {
    ec2.on(action, ec2Success(action, ""));
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** What IAM is asked for a request: the action, and what some parameters need besides. */
function permissionsFor({ action, params }: ScriptedEc2["requests"][number]): string[] {
  const names = Object.keys(params);
  return [
    `ec2:${action}`,
    // IAM user guide of EC2, "Grant permission to tag resources during creation".
    ...(names.some((name) => name.startsWith("TagSpecification.")) ? ["ec2:CreateTags"] : []),
    ...(names.some((name) => name.startsWith("IamInstanceProfile.")) ? ["iam:PassRole"] : []),
    ...(params.ImageId?.startsWith("resolve:ssm:") ? ["ssm:GetParameters"] : []),
  ];
}

/** What is asked for while the verbs run, as IAM names it. */
async function asked(
  patch: Partial<AwsEc2Target>,
  run: (verbs: Provider) => Promise<unknown>,
): Promise<Set<string>> {
  const before = ec2.requests.length;
  const target = targetWith({ endpoint: ec2.endpoint, attachVolumes: [sdf], ...patch });
  await run(createAwsEc2Provider(target, { owner: "server-1" }));
  return new Set(ec2.requests.slice(before).flatMap(permissionsFor));
}

function granted(sids: readonly string[]): Set<string> {
  const named = statements.filter(({ Sid }) => sids.includes(Sid));
  if (named.length !== sids.length) throw new Error(`not all of these are in the page: ${sids.join(", ")}`);
  return new Set(named.flatMap(({ Action }) => Action));
}

const looks = async (verbs: Provider) => {
  await verbs.volumesFree(never);
  await verbs.find("t1", never);
  await verbs.describe("i-1", never);
  await verbs.list(never);
  await verbs.list(never, { gone: true });
  await verbs.volumes(never);
};
const create = async (verbs: Provider) => {
  const indexes = verbs.alternatives.keys();
  for (const alternative of indexes)
    await verbs.create(order("t1", { alternative, notes: { a: "1" } }), never);
};
const attach = (verbs: Provider) => verbs.attach("i-1", never);
const changes = async (verbs: Provider) => {
  await attach(verbs);
  await verbs.annotate("i-1", { old: undefined, fresh: "1" }, never);
  await verbs.rest("i-1", { hibernate: true }, never);
  await verbs.destroy("i-1", never);
};
const every = async (verbs: Provider) => {
  for (const verb of [looks, create, changes]) await verb(verbs);
  await verbs.start("i-1", never);
  await verbs.preflight(never);
};

const BASE = ["LazysshLook", "LazysshLaunch", "LazysshTagLaunch", "LazysshOwnMachines", "LazysshVolumes"];
const spot = { maxPrice: "0.01", fallback: "on-demand" } as const;
const image = { owners: ["self"], name: "backup-*", mostRecent: true };
const ownSpot = "LazysshSpot";

/** Statements, and what needs exactly these: on which target which verbs, beside what other statements grant. */
const needs: {
  readonly sids: readonly string[];
  readonly patch: Partial<AwsEc2Target>;
  readonly run: (verbs: Provider) => Promise<unknown>;
  readonly besides: readonly string[];
}[] = [
  { sids: ["LazysshLook"], patch: {}, run: looks, besides: [ownSpot] },
  { sids: ["LazysshLaunch", "LazysshTagLaunch"], patch: {}, run: create, besides: [] },
  { sids: ["LazysshOwnMachines"], patch: {}, run: changes, besides: ["LazysshLook"] },
  { sids: ["LazysshVolumes"], patch: {}, run: attach, besides: ["LazysshLook"] },
  { sids: ["LazysshImage"], patch: { imageId: undefined, image }, run: create, besides: BASE },
  { sids: ["LazysshImageParameter"], patch: { imageId: "resolve:ssm:/x" }, run: create, besides: BASE },
  { sids: ["LazysshRole"], patch: { iamInstanceProfile: "backup" }, run: create, besides: BASE },
  {
    sids: ["LazysshSpot"],
    patch: { spot },
    run: async (verbs) => {
      await create(verbs);
      await verbs.describe("i-1", never);
    },
    besides: BASE,
  },
  {
    sids: ["LazysshStopMode"],
    patch: { stopMode: "hibernate" },
    run: async (verbs) => {
      await create(verbs);
      await changes(verbs);
      await verbs.start("i-1", never);
    },
    besides: BASE,
  },
  {
    sids: ["LazysshCheck"],
    patch: { subnetIds: ["subnet-1"] },
    run: (verbs) => verbs.preflight(never),
    besides: BASE,
  },
];

test.each(needs.map((need) => [need.sids.join(" and "), need] as const))(
  "%s grants what is asked for, and nothing else",
  async (_, { sids, patch, run, besides }) => {
    const others = granted(besides);
    const needed = [...(await asked(patch, run))].filter((permission) => !others.has(permission));
    expect(needed.sort()).toEqual([...granted(sids)].sort());
  },
);

describe("the page", () => {
  test("has no statement that nothing needs", () => {
    expect(statements.map(({ Sid }) => Sid).sort()).toEqual(needs.flatMap(({ sids }) => sids).sort());
  });

  test("grants in all what all verbs ask for on a target with every feature", async () => {
    const all = new Set<string>();
    for (const imageArguments of [{ imageId: "resolve:ssm:/x" }, { imageId: undefined, image }]) {
      const patch = {
        ...imageArguments,
        spot,
        stopMode: "hibernate",
        iamInstanceProfile: "backup",
        subnetIds: ["subnet-1"],
        deadManMs: 600_000,
        associatePublicIpAddress: true,
      } as const;
      for (const permission of await asked(patch, every)) all.add(permission);
    }
    expect([...all].sort()).toEqual([...granted(statements.map(({ Sid }) => Sid))].sort());
    // So that an action that is added to the client is not forgotten here.
    const actions = Object.keys(createEc2(targetWith())).map(
      (name) => `ec2:${name[0]?.toUpperCase()}${name.slice(1)}`,
    );
    expect(actions.filter((action) => !all.has(action))).toEqual([]);
  });

  test("lets only machines with the owner's tag be changed", () => {
    for (const { Action, Resource, Condition } of statements) {
      const changing = [Action]
        .flat()
        .filter((action) => /:(Attach|Delete|Start|Stop|Terminate)/.test(action));
      if (changing.length === 0 || Resource.includes(":volume/")) continue;
      expect(Resource).toBe("arn:aws:ec2:*:*:instance/*");
      expect(Condition?.StringLike).toEqual({ "ec2:ResourceTag/lazyssh:owner": "*" });
    }
    const tagging = statements.filter(({ Action }) => [Action].flat().includes("ec2:CreateTags"));
    expect(tagging.every(({ Condition }) => Condition !== undefined)).toBe(true);
  });
});

/** The statements of every block of JSON in the section "Permissions", a policy or a statement each. */
function statementsIn(text: string): Statement[] {
  const section = /^## Permissions\n(.*?)(?=^## |$(?![\s\S]))/ms.exec(text)?.[1] ?? "";
  return [...section.matchAll(/^```json\n(.*?)^```$/gms)].flatMap(([, json = ""]) => {
    const block = JSON.parse(json) as Statement | { readonly Statement: readonly Statement[] };
    return "Statement" in block ? block.Statement : [block];
  });
}
