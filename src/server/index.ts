export { createFrontDoor, type FrontDoor, type FrontDoorOptions } from "./front-door.ts";
export type { Limits } from "./limits.ts";
