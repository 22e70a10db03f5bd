export { type Host, startHost } from "./host.ts";
export { serveUntilSignal } from "./serve.ts";
