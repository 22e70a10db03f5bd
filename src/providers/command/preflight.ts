import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { CommandTarget } from "../../config/types.ts";
import type { Finding } from "../provider.ts";

/** Whether the programs and the folder are there. */
export async function preflight(target: CommandTarget, path: string): Promise<readonly Finding[]> {
  const { start, stop, status, addressCommand: address, workingDirectory = "/" } = target;
  const findings: Finding[] = [];
  const isFolder = await stat(workingDirectory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder)
    findings.push(error(`working_directory ${workingDirectory} is not a folder that can be entered`));
  for (const [name, argv] of Object.entries({ start, stop, status, address })) {
    const program = argv?.[0];
    if (program === undefined || (await isProgram(program, path, workingDirectory))) continue;
    const where = program.includes("/") ? "" : ` in ${path}`;
    findings.push(error(`${name}: there is no program ${program}${where} that may be run`));
  }
  return findings;
}

async function isProgram(program: string, path: string, folder: string): Promise<boolean> {
  const places = program.includes("/")
    ? [isAbsolute(program) ? program : join(folder, program)]
    : path.split(delimiter).map((each) => join(each, program));
  for (const place of places) {
    const there = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return true;
  }
  return false;
}

function error(text: string): Finding {
  return { severity: "error", text };
}
