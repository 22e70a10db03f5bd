export { createEventStream, type EventStream, type LazysshEvent, type Subscriber } from "./events.ts";
export { createLogger, type LogOptions, type LogOutput, logEvents, logFormats, logLevels } from "./log.ts";
