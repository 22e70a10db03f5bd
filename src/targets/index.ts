export type {
  ByHand,
  Dropped,
  HoldOptions,
  LeaseStatusLine,
  MachineStatus,
  TargetStatus,
  VolumeStatus,
} from "./by-hand.ts";
export { createFleet } from "./fleet.ts";
export { createJournal, type Journal } from "./journal.ts";
export type { Lease, Tenant } from "./lease.ts";
export { createMeter, openMeter } from "./meter.ts";
export { probe } from "./probe.ts";
export { remote } from "./remote.ts";
export {
  chooseStateDir,
  knownOwner,
  openStateDir,
  ownerMark,
  type StateDir,
  type StateDirChoice,
  serverId,
  stateDirOf,
} from "./state-dir.ts";
export { createSweep, type OwnMachine } from "./sweep.ts";
