export type { AuthorizedKey } from "./access.ts";
export type { Diagnostic } from "./diagnostic.ts";
export { parseDuration } from "./duration.ts";
export { diagnosticsToJson } from "./json.ts";
export {
  type ConfigResult,
  loadConfig,
  loadFile,
  loadJobs,
  parseConfig,
  parseFile,
} from "./load.ts";
export { renderDiagnostics } from "./render.ts";
export { DEFAULT_JOB, type ReplicateJob } from "./replicate.ts";
export type {
  AwsEc2Target,
  BeforeStop,
  Config,
  MachineTarget,
  MachineTargetConfig,
  ServerConfig,
  TargetConfig,
} from "./types.ts";
