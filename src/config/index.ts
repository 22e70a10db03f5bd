export type { Diagnostic, Severity } from "./diagnostic.ts";
export { type DiagnosticJson, diagnosticsToJson, type SnippetJson, type ValidationJson } from "./json.ts";
export { type ConfigResult, type LoadOptions, loadConfig, parseConfig } from "./load.ts";
export { renderDiagnostics } from "./render.ts";
export type { Position, SourceRange } from "./source.ts";
export type { Snippet, Sources } from "./sources.ts";
export type {
  AttachVolume,
  AwsEc2Target,
  Config,
  EbsBlockDevice,
  ForwardTarget,
  HostPort,
  MachineTarget,
  MachineTargetConfig,
  PublicKey,
  ServerConfig,
  TargetConfig,
} from "./types.ts";
