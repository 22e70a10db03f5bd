import { describe, expect, it } from "vitest";
import { createCatalog } from "../../src/targets/catalog.ts";
import { targetWith } from "../harness/target.ts";

const home = { type: "forward", name: "home.*", to: "192.0.2.1", ports: undefined } as const;
const catalog = createCatalog([
  targetWith({ name: "*.dev" }),
  targetWith({ name: "a.dev", ports: [22] }),
  targetWith({ name: "a.*" }),
  home,
  targetWith({ name: "Ünusual name" }),
]);

describe("a catalog of names", () => {
  it.each([
    ["a.dev", "a.dev"],
    ["b.dev", "*.dev"],
    ["x.y.dev", "*.dev"],
    ["a.prod", "a.*"],
    ["home.nas", "home.*"],
    ["Ünusual name", "Ünusual name"],
  ])("has %s of %s: exact names first, then families in the order of the file", (name, family) => {
    const found = catalog.find(name);
    expect(found?.family).toBe(family);
    expect(found?.target.name).toBe(name);
  });

  it("gives a name of a family all that the family has", () => {
    expect(catalog.find("home.nas")?.target).toEqual({ ...home, name: "home.nas" });
  });

  it.each([
    "b.prod",
    "*.dev",
    "?.dev",
    ".dev",
    "-x.dev",
    "a b.dev",
    "a/b.dev",
    "ä.dev",
    "B.DEV",
    "a\u0000.dev",
    `${"a".repeat(252)}.dev`,
    "",
  ])("has no %j", (name) => expect(catalog.find(name)).toBeUndefined());

  it("takes names of up to 255 characters", () => {
    expect(catalog.find(`${"a".repeat(251)}.dev`)?.family).toBe("*.dev");
  });

  it("tells the addresses as they stand in the file", () => {
    expect(catalog.names).toEqual(["*.dev", "a.dev", "a.*", "home.*", "Ünusual name"]);
  });
});
