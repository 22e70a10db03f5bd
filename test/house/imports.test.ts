import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSources, root, type Source } from "./sources.ts";

const sources = readSources();
const rooms = [...new Set(sources.map(({ room }) => room))];

/** `src/server/auth.ts:3 imports ../cli/run.ts` for every import that `isWrong`. */
function wrongImports(isWrong: (from: Source, to: Source["imports"][number]) => boolean): string[] {
  return sources.flatMap((from) =>
    from.imports
      .filter((to) => isWrong(from, to))
      .map(({ specifier, line }) => `${from.path}:${line} imports ${specifier}`),
  );
}

function roomOf(file: string | undefined): string | undefined {
  return file?.split("/")[1];
}

describe("import directions", () => {
  const allowed = allowedByArchitecture();

  it("has a row in ARCHITECTURE.md for every room, and no row for a room that is not there", () => {
    expect([...allowed.keys()].sort()).toEqual([...rooms].sort());
  });

  it.each(rooms)("%s imports only what ARCHITECTURE.md allows it to", (room) => {
    const mayImport = allowed.get(room) ?? [];
    const wrong = wrongImports((from, to) => {
      const toRoom = roomOf(to.file);
      return from.room === room && toRoom !== undefined && toRoom !== room && !mayImport.includes(toRoom);
    });
    expect(wrong).toEqual([]);
  });

  it("lets only main import the command line", () => {
    expect(
      wrongImports(({ room }, { file }) => roomOf(file) === "cli" && room !== "cli" && room !== "main.ts"),
    ).toEqual([]);
  });

  it("lets only the command line import the dev world", () => {
    expect(
      wrongImports(({ room }, { file }) => roomOf(file) === "dev" && room !== "dev" && room !== "cli"),
    ).toEqual([]);
  });

  it("keeps providers ignorant of who uses them", () => {
    const users = ["targets", "server", "host", "cli", "dev", "proxy"];
    expect(
      wrongImports(({ room }, { file }) => room === "providers" && users.includes(roomOf(file) ?? "")),
    ).toEqual([]);
  });
});

describe("what is loaded", () => {
  it("loads the server, the cloud and the dev world only for the command that needs them", () => {
    const eager = reachableFrom("src/main.ts");
    const loadedRooms = new Set([...eager.files].map((file) => roomOf(file)));
    expect([...loadedRooms].sort()).toEqual(["cli", "main.ts", "observe", "util"]);
    expect([...eager.packages].filter((name) => !name.startsWith("node:")).sort()).toEqual(["@stricli/core"]);
  });

  it("loads what speaks to a cloud, and its SDK, only when a target first needs it", () => {
    expect(
      wrongImports(({ path }, { specifier, kind }) => {
        return (
          specifier.startsWith("@aws-sdk/") && kind === "eager" && !path.startsWith("src/providers/aws-ec2/")
        );
      }),
    ).toEqual([]);
    const eager = reachableFrom("src/host/index.ts");
    expect(eager.packages).not.toContain("@aws-sdk/client-ec2");
    expect(eager.files).not.toContain("src/providers/aws-ec2/provider.ts");
    expect(eager.files).not.toContain("src/providers/aws-ec2/client.ts");
  });

  it("loads ssh2's client, and the HTTP that comes with it, only for who runs commands on machines", () => {
    const { packages } = reachableFrom("src/cli/serve-run.ts");
    expect(packages).toContain("ssh2/lib/protocol/Protocol.js");
    expect(packages).not.toContain("ssh2");
    expect(packages).not.toContain("node:http");
  });

  it("loads what counts only for who wants metrics", () => {
    expect(reachableFrom("src/host/index.ts").packages).not.toContain("prom-client");
  });

  it("loads what has workers only for who wants them, and in a worker nothing that starts machines", () => {
    const roomsOf = (entry: string) => new Set([...reachableFrom(entry).files].map((file) => roomOf(file)));
    expect(roomsOf("src/host/index.ts")).not.toContain("workers");
    for (const room of ["host", "providers", "control", "cli"])
      expect(roomsOf("src/workers/main.ts")).not.toContain(room);
  });

  it("touches the inside of ssh2 in one file, and its key parser in another", () => {
    const allowed = ["src/server/wire.ts", "src/util/key-parser.ts"];
    expect(
      wrongImports(({ path }, { specifier, kind }) => {
        return specifier.startsWith("ssh2/") && kind !== "type" && !allowed.includes(path);
      }),
    ).toEqual([]);
  });
});

/** Files and packages that are loaded together with `entry`, before any line of it has run. */
function reachableFrom(entry: string): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (files.has(path)) continue;
    files.add(path);
    const source = sources.find((candidate) => candidate.path === path);
    if (!source) throw new Error(`${path} is imported, and is not there`);
    for (const { kind, file, specifier } of source.imports) {
      if (kind !== "eager") continue;
      if (file === undefined) packages.add(specifier);
      else queue.push(file);
    }
  }
  return { files, packages };
}

/** The table of rooms in ARCHITECTURE.md: room → the rooms it may import, and `util`, which is there for all. */
function allowedByArchitecture(): Map<string, readonly string[]> {
  const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const allowed = new Map<string, readonly string[]>();
  for (const [, room = "", cell = ""] of text.matchAll(/^\| `src\/([\w.-]+)` \|[^|]*\|([^|]*)\|$/gm)) {
    const named = [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, names = ""]) => names.split(" "));
    allowed.set(room, cell.includes("everything") ? rooms : [...named, "util"]);
  }
  return allowed;
}
