import { expect, it } from "vitest";
import { parseSource } from "./sources.ts";

it("sees every form of import, and whether it loads anything", () => {
  const { imports } = parseSource(
    "src/server/door.ts",
    `import { a } from "../util/a.ts";
import type { B } from "../targets/index.ts";
import { type C } from "./c.ts";
import { type D, d } from "./d.ts";
import "node:fs";
export { e } from "./e.ts";
export type { F } from "./f.ts";
const g = await import("./g.ts");
type H = import("./h.ts").H;
`,
  );
  expect(imports.map(({ file, specifier, kind, line }) => `${line} ${kind} ${file ?? specifier}`)).toEqual([
    "1 eager src/util/a.ts",
    "2 type src/targets/index.ts",
    "3 type src/server/c.ts",
    "4 eager src/server/d.ts",
    "5 eager node:fs",
    "6 eager src/server/e.ts",
    "7 type src/server/f.ts",
    "8 lazy src/server/g.ts",
    "9 type src/server/h.ts",
  ]);
});
