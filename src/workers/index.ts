export { createWorkers } from "./workers.ts";
