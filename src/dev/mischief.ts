import type { Cloud } from "./cloud/cloud.ts";
import { interruptSpot } from "./cloud/life.ts";
import { terminateInstances } from "./cloud/power.ts";
import { NOTICE_CODES, type NoticeCode } from "./cloud/spot-state.ts";
import type { Guest } from "./guest/guest.ts";
import type { Hypervisor } from "./hypervisor.ts";

/** EC2 user guide, "Spot Instance interruption notices". */
const NOTICE_MS = 120_000;

/** What can befall a machine. False means that the instance does not run, and that nothing was done. */
export interface Mischief {
  /** Ends the guest at once, as a power cut does. */
  kill(instanceId: string): boolean;
  /** Terminates the instance, as somebody else with the same account would. False when it is gone. */
  terminate(instanceId: string): boolean;
  /**
   * EC2 wants a spot instance back: its request says so at once, and `ms` later it is shut down.
   *
   * @param ms default two minutes.
   * @param code how the request says it. Default `marked-for-termination`; EC2 that is short of capacity says
   * `instance-terminated-no-capacity`, although the instance runs on.
   * @throws Ec2Error for an instance that is not of the spot market, or does not run.
   */
  spotNotice(instanceId: string, ms?: number, code?: NoticeCode): void;
  /** The machine hangs: its guest and all it runs stand still, connections stay. */
  freeze(instanceId: string): boolean;
  thaw(instanceId: string): boolean;
  /**
   * The guest stops listening on its SSH port, while connections live on. Resolves when it has.
   *
   * @throws Error for a machine that is frozen: it cannot.
   */
  closePort(instanceId: string): Promise<boolean>;
  /** It listens again, or will when it has booted. @throws Error for a machine that is frozen: it cannot. */
  openPort(instanceId: string): Promise<boolean>;
}

export function createMischief(cloud: Cloud, hypervisor: Hypervisor): Mischief {
  const toGuest = (act: (guest: Guest) => void) => (id: string) => {
    const guest = hypervisor.guest(id);
    if (guest !== undefined) act(guest);
    return guest !== undefined;
  };
  const toPort = (act: (guest: Guest) => Promise<void>) => async (id: string) => {
    const guest = hypervisor.guest(id);
    if (guest?.frozen) throw new Error(`${id} is frozen: thaw it first`);
    if (guest !== undefined) await act(guest);
    return guest !== undefined;
  };
  return {
    kill: toGuest((guest) => guest.kill()),
    terminate: (id) => {
      const isThere = cloud.instances.has(id);
      if (isThere) terminateInstances(cloud, [id]);
      return isThere;
    },
    spotNotice: (id, ms = NOTICE_MS, code = NOTICE_CODES[0]) => interruptSpot(cloud, id, ms, code),
    freeze: toGuest((guest) => guest.freeze()),
    thaw: toGuest((guest) => guest.thaw()),
    closePort: toPort((guest) => guest.closePort()),
    openPort: toPort((guest) => guest.openPort()),
  };
}
