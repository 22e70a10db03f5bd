/** The dev world: an EC2 API on loopback whose instances are SSH servers on this machine. */
export type { ClientFilesOptions } from "./client-files.ts";
export type { Delays } from "./cloud/state.ts";
export type { FaultRule } from "./ec2/faults.ts";
export type { InstanceView, VolumeView, WorldState } from "./state-view.ts";
export { createWorld, devCredentialsEnv, type World, type WorldOptions } from "./world.ts";
