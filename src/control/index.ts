export { askServer } from "./control-client.ts";
export { type Control, openControl } from "./control-server.ts";
