export { createFrontDoor, type FrontDoor } from "./front-door.ts";
export type { Limits } from "./limits.ts";
