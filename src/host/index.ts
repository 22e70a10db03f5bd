export { type Host, startHost } from "./host.ts";
export { createNotifier } from "./notifier.ts";
export { createReloader, type Reloader } from "./reloader.ts";
export { type Stoppable, serveUntilSignal } from "./serve.ts";
export { createSystemd } from "./systemd.ts";
export { takeSystemdEnv } from "./systemd-env.ts";
export { hasTerminal } from "./terminal.ts";
