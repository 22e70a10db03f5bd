export type { AuthorizedKey } from "./access.ts";
export type { Diagnostic } from "./diagnostic.ts";
export { parseDuration, parseLongDuration } from "./duration.ts";
export { diagnosticsToJson } from "./json.ts";
export {
  type ConfigResult,
  type FileResult,
  type JobsResult,
  loadConfig,
  loadFile,
  loadJobs,
  parseConfig,
  parseFile,
} from "./load.ts";
export { renderDiagnostics } from "./render.ts";
export {
  DEFAULT_JOB,
  type Hook,
  type Keep,
  type ReplicateJob,
  type ReportSettings,
  type SendSettings,
  type SnapshotFilter,
  type SshSettings,
} from "./replicate.ts";
export type {
  AwsEc2Target,
  BeforeStop,
  Config,
  MachineTarget,
  MachineTargetConfig,
  ServerConfig,
  TargetConfig,
} from "./types.ts";
