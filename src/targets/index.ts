export { createFleet, type Fleet, type FleetOptions } from "./fleet.ts";
export { createJournal, type Journal } from "./journal.ts";
export type { Lease, Targets, Tenant } from "./lease.ts";
export { type Prober, probe } from "./probe.ts";
export { chooseStateDir, openStateDir, type StateDir, type StateDirChoice } from "./state-dir.ts";
