import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect } from "vitest";
import { nixInstantiate } from "../harness/nix.ts";
import { requires } from "../harness/requires.ts";
import { unitSections } from "./unit-file.ts";

const itWith = requires("nix-instantiate");
const root = fileURLToPath(new URL("../..", import.meta.url));
const store = mkdtempSync(join(tmpdir(), "lazyssh-nix-"));
afterAll(() => rmSync(store, { recursive: true, force: true }));

/** An expression with `flake` (its outputs, with the stub of nixpkgs), `lib` and `pkgs` in scope, as JSON. */
async function evaluate(expression: string): Promise<unknown> {
  const scope = `
    let
      nixpkgs = import ${join(root, "test/packaging/stub-nixpkgs.nix")};
      inherit (nixpkgs) lib;
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      flake = (import ${join(root, "flake.nix")}).outputs { self = flake; inherit nixpkgs; };
      service = config: (import ${join(root, "nix/module.nix")} {
        inherit lib pkgs;
        config.services.lazyssh = config;
      }).config;
    in
    ${expression}`;
  return JSON.parse(await nixInstantiate(store, "--eval", "--strict", "--json", "--expr", scope));
}

describe("the flake", () => {
  itWith("parses, with everything it is made of", async () => {
    const files = readdirSync(join(root, "nix")).map((name) => join(root, "nix", name));
    await nixInstantiate(store, "--parse", join(root, "flake.nix"), ...files);
  });

  itWith(
    "has a package and a shell for each system, and a module with the package as its default",
    async () => {
      const systems = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"];
      const found = await evaluate(`{
      packages = builtins.attrNames flake.packages;
      shells = builtins.attrNames flake.devShells;
      shell = flake.devShells.aarch64-linux.default.packages;
      module = (flake.nixosModules.default { inherit lib pkgs; }).services.lazyssh.package.pname;
    }`);
      expect(found).toEqual({
        packages: systems,
        shells: systems,
        shell: expect.arrayContaining(["/nix/store/nodejs_24", "/nix/store/openssh"]),
        module: "lazyssh",
      });
    },
  );

  itWith("fetches each package of the lock file, held to the hash that is written there", async () => {
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      packages: Record<string, { version: string; integrity?: string }>;
    };
    const locked = Object.entries(lock.packages).filter(([path]) => path !== "");
    const fetched = (await evaluate(
      `builtins.mapAttrs (_: tarball: { inherit (tarball) outputHash buildCommand; })
         flake.packages.x86_64-linux.default.npmDeps.packageSourceOverrides`,
    )) as Record<string, { outputHash: string; buildCommand: string }>;
    expect(Object.keys(fetched).sort()).toEqual(locked.map(([path]) => path).sort());
    for (const [path, { version, integrity }] of locked) {
      expect(fetched[path]?.outputHash).toBe(integrity);
      expect(fetched[path]?.buildCommand).toContain(`@${version}'`);
    }
  });

  itWith("builds the version of package.json from files that are there", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(
      await evaluate(`{
        inherit (flake.packages.x86_64-linux.default) version;
        sources = flake.packages.x86_64-linux.default.src.fileset;
      }`),
    ).toEqual({ version, sources: expect.arrayContaining([join(root, "src")]) });
  });
});

describe("the NixOS module", () => {
  const enabled = `service { enable = true; package = flake.packages.x86_64-linux.default; configFile = "/etc/l.hcl"; }`;

  itWith("runs lazyssh with the config file as the systemd unit in examples does", async () => {
    const serviceConfig = await evaluate(`(${enabled}).systemd.services.lazyssh.serviceConfig`);
    const { ExecStart, ExecReload, ...others } =
      unitSections(join(root, "examples/lazyssh.service")).Service ?? {};
    expect(ExecStart).toEqual(["/usr/local/bin/lazyssh -config /etc/lazyssh/config.hcl"]);
    expect(ExecReload).toEqual(["/bin/kill -HUP $MAINPID"]);
    expect(asUnit(serviceConfig)).toEqual({
      ...others,
      ExecReload: ["/nix/store/coreutils/bin/kill -HUP $MAINPID"],
      ExecStart: ["/nix/store/lazyssh/bin/lazyssh -config '/etc/l.hcl'"],
    });
  });

  itWith("makes user lazyssh with a home for AWS credentials", async () => {
    expect(await evaluate(`(${enabled}).users`)).toEqual({
      users: {
        lazyssh: {
          isSystemUser: true,
          group: "lazyssh",
          home: "/var/lib/lazyssh",
          description: "lazyssh jump host",
        },
      },
      groups: { lazyssh: {} },
    });
  });

  itWith("does nothing when it is not enabled", async () => {
    expect(await evaluate(`service { enable = false; }`)).toEqual({});
  });
});

/** As NixOS writes them into a unit file: a list is one line per entry. */
function asUnit(serviceConfig: unknown): Record<string, string[]> {
  const entries = Object.entries(serviceConfig as Record<string, string | string[]>);
  return Object.fromEntries(entries.map(([name, value]) => [name, [value].flat()]));
}
