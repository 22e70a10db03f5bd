export { createEventStream, type EventStream, type LazysshEvent } from "./events.ts";
export { createLogger, type LogOutput, logEvents, logFormats, logLevels } from "./log.ts";
