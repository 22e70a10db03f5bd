import ts from "typescript";
import { expect, it } from "vitest";
import { lineOf, readSources, walk } from "./sources.ts";

const TIMERS = ["setTimeout", "setInterval"];
const RAW_ACCESS = [...TIMERS.map((name) => `globalThis.${name}`), "AbortSignal.timeout"];

it("waits only through the injected clock", () => {
  const raw = readSources()
    .filter(({ path }) => path !== "src/util/clock.ts")
    .flatMap(({ path, ast, imports }) => {
      const found = imports.filter(({ specifier }) => /^(node:)?timers/.test(specifier));
      const lines = found.map(({ line, specifier }) => `${path}:${line} imports ${specifier}`);
      walk(ast, (node) => {
        const name = timerNamed(node);
        if (name) lines.push(`${path}:${lineOf(ast, node)} uses ${name}`);
      });
      return lines;
    });
  expect(raw).toEqual([]);
});

/** The raw timer this node uses: `setTimeout`, `globalThis.setInterval`, `AbortSignal.timeout`; not `socket.setTimeout`. */
function timerNamed(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const owner = ts.isIdentifier(node.expression) ? node.expression.text : "";
    const access = `${owner}.${node.name.text}`;
    return RAW_ACCESS.includes(access) ? access : undefined;
  }
  if (!ts.isIdentifier(node) || !TIMERS.includes(node.text)) return undefined;
  const isProperty = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
  return isProperty ? undefined : node.text;
}
