export { type Host, type HostOptions, startHost } from "./host.ts";
export { serveUntilSignal } from "./serve.ts";
