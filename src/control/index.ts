export { askServer } from "./control-client.ts";
export { type Control, openControl } from "./control-server.ts";
export type { ServerStatus, TargetReport } from "./protocol.ts";
