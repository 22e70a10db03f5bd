/** The dev world: an EC2 API on loopback whose instances are SSH servers on this machine. */
export { createWorld, devCredentialsEnv, type World, type WorldOptions } from "./world.ts";
