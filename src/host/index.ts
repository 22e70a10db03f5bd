export { type Host, startHost } from "./host.ts";
export { type Stoppable, serveUntilSignal } from "./serve.ts";
