import { Ec2Error } from "./error.ts";

function unsupported(message: string): Ec2Error {
  return new Ec2Error("UnsupportedHibernationConfiguration", message);
}

/**
 * Whether an instance may be launched that can be hibernated (EC2 user guide, "Hibernation prerequisites"): virtual
 * machines of the families for common use, with an encrypted root volume.
 *
 * @throws Ec2Error `UnsupportedHibernationConfiguration`.
 */
export function checkHibernation(instanceType: string, rootEncrypted: boolean): void {
  const supported = /^(?:c|i|m|r|t)\d/.test(instanceType) && !instanceType.includes(".metal");
  if (!supported) {
    throw unsupported(`Hibernation is not supported for the instance type ${instanceType}.`);
  }
  if (!rootEncrypted) throw unsupported("For hibernation, the root device volume must be encrypted.");
}

/** @throws Ec2Error `UnsupportedHibernationConfiguration`, naming the first that cannot. */
export function checkHibernates(
  instances: readonly { readonly id: string; readonly hibernates: boolean }[],
): void {
  const unable = instances.find(({ hibernates }) => !hibernates);
  if (unable === undefined) return;
  throw unsupported(
    `The instance can't be hibernated because it was not configured at launch for hibernation: ${unable.id}`,
  );
}
