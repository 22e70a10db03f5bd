import type { Instance, Reservation } from "@aws-sdk/client-ec2";
import type { AwsEc2Target } from "../../config/types.ts";
import type { Machine, MachinePhase } from "../provider.ts";
import { notesOf, TAG, tagOf } from "./tags.ts";

/** A state that is missing or strange reads as pending: not usable, and not proven to be gone. */
const PHASES: ReadonlyMap<string, MachinePhase> = new Map([
  ["pending", "pending"],
  ["running", "running"],
  ["shutting-down", "stopping"],
  ["stopping", "stopping"],
  ["stopped", "resting"],
  ["terminated", "gone"],
]);

/** An instance that says who it is; one that does not is of no use. */
export type IdentifiedInstance = Instance & { readonly InstanceId: string };

/** The instances of an answer of RunInstances or DescribeInstances. */
export function instancesOf(reservations: readonly Reservation[] | undefined): IdentifiedInstance[] {
  return (reservations ?? [])
    .flatMap((reservation) => reservation.Instances ?? [])
    .filter((instance): instance is IdentifiedInstance => present(instance.InstanceId) !== undefined);
}

/**
 * An instance as the rest of the program sees it. Clouds that speak EC2 leave fields out, or send them empty;
 * both read as absent.
 * Source: EC2 API reference, Instance and InstanceState.
 */
export function machineOf(instance: IdentifiedInstance, address: AwsEc2Target["address"]): Machine {
  const phase = PHASES.get(instance.State?.Name ?? "") ?? "pending";
  const leaving = phase === "stopping" || phase === "resting" || phase === "gone";
  return {
    id: instance.InstanceId,
    phase,
    address: leaving ? undefined : addressOf(instance, address, phase),
    reason: leaving ? reasonOf(instance) : undefined,
    token: tokenOf(instance),
    target: tagOf(instance.Tags, TAG.target),
    notes: notesOf(instance.Tags),
    notice: undefined,
    startedAt: instance.LaunchTime?.getTime(),
  };
}

/**
 * The launch token an instance was made with. The tag goes first: the client token is one of several, by the alternative.
 */
export function tokenOf(instance: Instance): string | undefined {
  return present(tagOf(instance.Tags, TAG.launch)) ?? present(instance.ClientToken);
}

/**
 * Whether the instance carries the tag of this server. Asked of every answer, since a cloud that
 * ignores an unknown filter would show machines that are not ours.
 */
export function isOwn(instance: Instance, owner: string): boolean {
  return tagOf(instance.Tags, TAG.owner) === owner;
}

function addressOf(
  instance: Instance,
  wanted: AwsEc2Target["address"],
  phase: MachinePhase,
): string | undefined {
  const interfaces = instance.NetworkInterfaces ?? [];
  const first = (pick: (nic: (typeof interfaces)[number]) => string | undefined): string | undefined =>
    interfaces.map((nic) => present(pick(nic))).find((found) => found !== undefined);

  const publicAddress = () => present(instance.PublicIpAddress) ?? first((nic) => nic.Association?.PublicIp);
  const privateAddress = () => present(instance.PrivateIpAddress) ?? first((nic) => nic.PrivateIpAddress);
  const ipv6Address = () =>
    present(instance.Ipv6Address) ?? first((nic) => nic.Ipv6Addresses?.[0]?.Ipv6Address);

  switch (wanted) {
    case "public":
      return publicAddress();
    case "private":
      return privateAddress();
    case "ipv6":
      return ipv6Address();
    case undefined:
      // The private address is known first: until the instance runs, it says nothing about a public one.
      return publicAddress() ?? (phase === "running" ? privateAddress() : undefined);
  }
}

function reasonOf(instance: Instance): string | undefined {
  return (
    present(instance.StateReason?.Message) ??
    present(instance.StateReason?.Code) ??
    present(instance.StateTransitionReason)
  );
}

function present(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
