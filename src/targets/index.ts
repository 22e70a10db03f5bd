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
export { probe } from "./probe.ts";
export { chooseStateDir, openStateDir, type StateDir, type StateDirChoice, stateDirOf } from "./state-dir.ts";
export { createSweep, type OwnMachine } from "./sweep.ts";
