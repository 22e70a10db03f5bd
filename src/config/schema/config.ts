import { type Decoder, didYouMean, headerOf } from "../decode/decoder.ts";
import { allRows, type Table } from "../decode/row.ts";
import { isFamily } from "../family.ts";
import type { ReplicateJob } from "../replicate.ts";
import type { Block, Body, SyntaxTree } from "../syntax/tree.ts";
import type { Config, ServerConfig, TargetConfig } from "../types.ts";
import { awsEc2Table, awsEc2Target } from "./aws-ec2.ts";
import { checkAwsEc2 } from "./aws-ec2-check.ts";
import { checkCommand, commandTable, commandTarget } from "./command.ts";
import { forwardTable, forwardTarget } from "./forward.ts";
import { replicateTable } from "./replicate.ts";
import { decodeJobs } from "./replicate-jobs.ts";
import { serverConfig, serverTable } from "./server.ts";

/** Every table, by what the manual calls it. */
export const tables = {
  server: serverTable,
  forward: forwardTable,
  aws_ec2: awsEc2Table,
  command: commandTable,
  replicate: replicateTable,
} satisfies Record<string, Table>;

const TOP_LEVEL = ["server", "target", "replicate", "locals", "variable"];
const TARGET_TYPES = ["aws_ec2", "command", "forward"];
/** Types of the older program that this version does not serve. */
const NOT_SERVED = new Set(["hcloud", "virtualbox"]);

const rows = Object.values(tables).flatMap((table) => [...allRows(table)]);

/** Names of the arguments that hold secrets. */
export const sensitiveNames: ReadonlySet<string> = new Set(
  rows.flatMap((row) => (row.kind === "argument" && row.sensitive ? [row.name] : [])),
);

/** All words of the configuration language. */
export const publicWords: ReadonlySet<string> = new Set([
  ...rows.map((row) => row.name),
  ...TOP_LEVEL,
  ...TARGET_TYPES,
  ...NOT_SERVED,
]);

/** What a file is read for: `serve` needs a server block, and gets along without jobs; `any` takes a file that has jobs only as well. */
export type Purpose = "serve" | "any";

export interface DecodedFile {
  /** Undefined when anything in it is wrong, or when there is no server. */
  readonly config: Config | undefined;
  readonly jobs: readonly ReplicateJob[];
}

/** What is wrong has been told to the decoder. */
export function decodeFile(file: string, tree: SyntaxTree, purpose: Purpose, decoder: Decoder): DecodedFile {
  reportUnknown(tree.body, decoder);
  if (!hasJobsOnly(tree)) {
    // Before the jobs, so that what both depend on is wrong for the server, too.
    const config = decodeConfig(file, tree, decoder);
    const jobs =
      purpose === "serve"
        ? decoder.tolerating("The server does without this job.", () => decodeJobs(tree.body, decoder))
        : decodeJobs(tree.body, decoder);
    return { config: config && { ...config, jobs }, jobs };
  }
  const jobs = decodeJobs(tree.body, decoder);
  if (purpose === "serve") {
    const { start } = tree.body;
    const detail =
      'This file has replicate blocks only: it is for "lazyssh replicate". A server needs a file with a block server { … }.';
    decoder.error({ start, end: start }, "Missing server block", detail);
  }
  return { config: undefined, jobs };
}

function hasJobsOnly({ body, broken }: SyntaxTree): boolean {
  const types = [...body.blocks.map(({ type }) => type), ...broken.map(({ name }) => name)];
  return types.includes("replicate") && !types.includes("server") && !types.includes("target");
}

function decodeConfig(
  file: string,
  { body, broken }: SyntaxTree,
  decoder: Decoder,
): Omit<Config, "jobs"> | undefined {
  const server = decodeServer(
    body,
    broken.some(({ name }) => name === "server"),
    decoder,
  );
  const targets = decodeTargets(body, decoder);
  if (targets?.length === 0 && broken.length === 0) warnOfNoTarget(body, decoder);
  if (server === undefined || targets === undefined) return undefined;
  if (server.group !== undefined) warnOfMachinesOfOne(body, targets, decoder);
  if (server.maxMachines === undefined) warnOfEndlessFamilies(body, targets, decoder);
  return { file, server, targets };
}

function reportUnknown({ attributes, blocks }: Body, decoder: Decoder): void {
  for (const { name, nameSpan } of attributes) {
    const hint = TOP_LEVEL.includes(name)
      ? `Did you mean to define a "${name}" block? Then leave out the equals sign.`
      : didYouMean(name, serverNames()) && `Did you mean "${name}" of the server block?`;
    decoder.error(
      nameSpan,
      "Unsupported argument",
      `An argument named "${name}" is not expected here. ${hint}`.trim(),
    );
  }
  for (const { type, typeSpan } of blocks) {
    if (TOP_LEVEL.includes(type)) continue;
    decoder.error(
      typeSpan,
      "Unsupported block type",
      `Blocks of type "${type}" are not expected here. ${didYouMean(type, TOP_LEVEL)}`.trim(),
    );
  }
}

function decodeServer(
  { blocks, start }: Body,
  isBroken: boolean,
  decoder: Decoder,
): ServerConfig | undefined {
  const [first, ...others] = blocks.filter(({ type }) => type === "server");
  for (const other of others) {
    decoder.error(
      headerOf(other),
      "Duplicate server block",
      "A configuration has one server block, and there is one before this.",
    );
  }
  if (first) {
    decoder.labels(first, []);
    const section = decoder.decode(first, serverTable);
    const targets = blocks
      .filter(({ type }) => type === "target")
      .flatMap(({ labels }) => labels.slice(0, 1));
    return (
      section &&
      serverConfig(
        section,
        targets.map(({ value }) => value),
        decoder,
      )
    );
  }
  if (!isBroken) {
    const detail =
      "A configuration needs one block server { … } with the arguments host_key and authorized_key.";
    decoder.error({ start, end: start }, "Missing server block", detail);
  }
  return undefined;
}

function warnOfNoTarget({ start }: Body, decoder: Decoder): void {
  const detail =
    'Nobody can connect to anything until there is a block such as target "name" "forward" { … }.';
  decoder.warning({ start, end: start }, "No target", detail);
}

function decodeTargets({ blocks }: Body, decoder: Decoder): readonly TargetConfig[] | undefined {
  const found = blocks.filter(({ type }) => type === "target");
  const names = new Set<string>();
  const targets: TargetConfig[] = [];
  for (const block of found) {
    if (!decoder.labels(block, ["address", "type"])) continue;
    const [address, type] = block.labels;
    if (address === undefined || type === undefined) continue;
    if (address.value === "")
      decoder.error(address, "Invalid target address", "The address of a target must not be empty.");
    if (isFamily(address.value) && !/^[\w.*?-]{1,255}$/.test(address.value)) {
      decoder.error(
        address,
        "Invalid target address",
        'With a wildcard ("*" for any characters, "?" for one) an address is that of a family, and has only letters, digits, ".", "_" and "-" beside them.',
      );
    }
    if (names.has(address.value)) {
      decoder.error(
        address,
        "Duplicate target",
        `There is a target with the address "${address.value}" already.`,
      );
    }
    names.add(address.value);
    const target = decodeTarget(block, address.value, type.value, decoder);
    if (target) targets.push(target);
    else if (!TARGET_TYPES.includes(type.value))
      decoder.error(type, "Unsupported target type", unsupported(type.value));
  }
  warnOfSharedVolumes(found, targets, decoder);
  return targets.length === found.length ? targets : undefined;
}

function decodeTarget(block: Block, name: string, type: string, decoder: Decoder): TargetConfig | undefined {
  if (type === "forward") {
    const section = decoder.decode(block, forwardTable);
    return section && forwardTarget(name, section);
  }
  if (type === "command") {
    const section = decoder.decode(block, commandTable);
    if (section) checkCommand(section, isFamily(name), decoder);
    return section && commandTarget(name, section);
  }
  if (type !== "aws_ec2") return undefined;
  const section = decoder.decode(block, awsEc2Table);
  if (section) checkAwsEc2(section, isFamily(name), decoder);
  return section && awsEc2Target(name, section);
}

function unsupported(type: string): string {
  if (NOT_SERVED.has(type)) {
    return `Targets of type "${type}" are not served by this version of lazyssh. It serves: ${TARGET_TYPES.join(", ")}.`;
  }
  return `There is no target type "${type}". ${didYouMean(type, TARGET_TYPES) || `There are: ${TARGET_TYPES.join(", ")}.`}`;
}

/** What a server's commands have started is written down beside it, where the others cannot see it. */
function warnOfMachinesOfOne({ blocks }: Body, targets: readonly TargetConfig[], decoder: Decoder): void {
  for (const target of targets) {
    const block = blocks.find(({ type, labels }) => type === "target" && labels[0]?.value === target.name);
    if (target.type !== "command" || !block) continue;
    const detail =
      'Servers of a group do not share machines of type "command": each of them starts and stops the machine by itself, whoever else uses it.';
    decoder.warning(headerOf(block), "Machine of one server", detail);
  }
}

/** Names cost nothing, and each has a machine. */
function warnOfEndlessFamilies({ blocks }: Body, targets: readonly TargetConfig[], decoder: Decoder): void {
  for (const target of targets) {
    if (!isFamily(target.name) || target.type === "forward" || target.maxMachines !== undefined) continue;
    const block = blocks.find(({ type, labels }) => type === "target" && labels[0]?.value === target.name);
    if (!block) continue;
    decoder.warning(
      headerOf(block),
      "Family without a limit",
      "Each name that matches the address has a machine of its own, so that a user can have any number of them started. Add max_machines.",
    );
  }
}

/** Two machines cannot hold one volume at once. */
function warnOfSharedVolumes(
  found: readonly Block[],
  targets: readonly TargetConfig[],
  decoder: Decoder,
): void {
  const holders = new Map<string, string>();
  for (const target of targets) {
    if (target.type !== "aws_ec2") continue;
    for (const { volumeId } of target.attachVolumes) {
      const holder = holders.get(volumeId);
      const block = found.find(({ labels }) => labels[0]?.value === target.name);
      if (holder !== undefined && holder !== target.name && block) {
        decoder.warning(
          headerOf(block),
          "Volume of two targets",
          `"${volumeId}" is attached by "${holder}" as well: only one of their machines can run at a time.`,
        );
      }
      holders.set(volumeId, holder ?? target.name);
    }
  }
}

function serverNames(): string[] {
  return Object.values(serverTable).map(({ name }) => name);
}
