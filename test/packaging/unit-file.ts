import { readFileSync } from "node:fs";

/** A systemd unit as sections of names, each with its values in order (`man systemd.syntax`). */
export type UnitSections = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export function unitSections(file: string): UnitSections {
  const sections: Record<string, Record<string, string[]>> = {};
  let section: Record<string, string[]> = {};
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    const [, name, value = ""] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (heading !== undefined) {
      section = {};
      sections[heading] = section;
    } else if (name !== undefined) {
      section[name] = [...(section[name] ?? []), value];
    }
  }
  return sections;
}
