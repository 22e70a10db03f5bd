export type {
  ByHand,
  Dropped,
  HoldOptions,
  TargetStatus,
  VolumeStatus,
} from "./by-hand.ts";
export { remote } from "./end/remote.ts";
export { createFleet } from "./fleet.ts";
export { createJournal, type Journal } from "./found/journal.ts";
export {
  chooseStateDir,
  knownOwner,
  openStateDir,
  ownerMark,
  type StateDir,
  type StateDirChoice,
  serverId,
  stateDirOf,
} from "./found/state-dir.ts";
export { createSweep, type OwnMachine } from "./found/sweep.ts";
export type { Lease, Tenant } from "./lease.ts";
export { probe } from "./start/probe.ts";
export { createMeter, openMeter } from "./use/meter.ts";
