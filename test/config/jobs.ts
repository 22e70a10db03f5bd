import { parseFile, renderDiagnostics } from "../../src/config/index.ts";

export const HOME = "/home/dana";
export const readJobs = (text: string, env: Record<string, string> = {}) =>
  parseFile(Buffer.from(text), { file: "/etc/lazyssh/jobs.hcl", env: { HOME, ...env } });

/** A whole job with this in it besides. */
export const block = (body: string, name = "safe") =>
  `replicate "${name}" {\n  source = "rpool/safe"\n  target = "archiver"\n  destination = "backup/safe"\n${body}\n}\n`;

/** What is told of a file, as people see it. */
export function told(text: string, env: Record<string, string> = {}): string {
  const { diagnostics, sources } = readJobs(text, env);
  return renderDiagnostics(diagnostics, sources);
}
