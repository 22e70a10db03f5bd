import { expect, test } from "vitest";
import { diagnosticsToJson, loadConfig, renderDiagnostics } from "../../src/config/index.ts";
import { load, server } from "./support.ts";

const line = server.split("\n").length;

test("a diagnostic is shown as Terraform shows it", () => {
  const { diagnostics, sources } = load(`${server}target "a" "forward" {\n  tp = "h"\n  to = "i"\n}\n`);
  expect(renderDiagnostics(diagnostics, sources)).toBe(`Error: Unsupported argument

  on config.hcl line ${line + 1}, in target "a" "forward":
${String(line + 1).padStart(4)}:   tp = "h"
        ^^

An argument named "tp" is not expected here. Did you mean "to"?
`);
});

test("carets count what a person sees as characters, and keep tabs", () => {
  const { diagnostics, sources } = load('\tlocals {\n\ta = "é👩‍👩‍👧" nope\n}\n');
  const shown = renderDiagnostics(diagnostics, sources);
  expect(shown).toContain('   2: \ta = "é👩‍👩‍👧" nope\n      \t         ^^^^\n');
});

test("colour is used only when asked for, and control characters never reach the terminal", () => {
  const { diagnostics, sources } = load('a = "\u001b[31mx" y\n');
  expect(renderDiagnostics(diagnostics, sources)).not.toContain("\u001b");
  expect(renderDiagnostics(diagnostics, sources, { color: true })).toContain("\u001b[31mError:\u001b[0m");
});

test("nothing to tell is nothing", () => {
  const { diagnostics, sources } = load(`${server}target "a" "forward" { to = "h" }\n`);
  expect(renderDiagnostics(diagnostics, sources)).toBe("");
  expect(diagnosticsToJson(diagnostics, sources)).toEqual({
    format_version: "1.0",
    valid: true,
    error_count: 0,
    warning_count: 0,
    diagnostics: [],
  });
});

test("JSON has the shape of terraform validate -json", () => {
  const { diagnostics, sources } = load(`${server}target "é" "forward" {\n  to = ["h"]\n}\n`);
  const before = Buffer.byteLength(`${server}target "é" "forward" {\n`);
  expect(diagnosticsToJson(diagnostics, sources)).toEqual({
    format_version: "1.0",
    valid: false,
    error_count: 1,
    warning_count: 0,
    diagnostics: [
      {
        severity: "error",
        summary: "Incorrect attribute value type",
        detail: 'Inappropriate value for "to". A string is needed; this is a list.',
        range: {
          filename: "config.hcl",
          start: { line: line + 1, column: 8, byte: before + 7 },
          end: { line: line + 1, column: 13, byte: before + 12 },
        },
        snippet: {
          context: 'target "é" "forward"',
          code: '  to = ["h"]',
          start_line: line + 1,
          highlight_start_offset: 7,
          highlight_end_offset: 12,
          values: [],
        },
      },
    ],
  });
});

test("a file that is not there is a diagnostic that says what to do", async () => {
  const missing = await loadConfig({ file: "/nowhere/config.hcl", env: {} });
  expect(missing.config).toBeUndefined();
  expect(renderDiagnostics(missing.diagnostics, missing.sources)).toBe(
    'Error: Configuration file not found\n\nThere is no file "/nowhere/config.hcl". Name the configuration file with: -c FILE\n',
  );
  const folder = await loadConfig({ file: "/", env: {} });
  expect(folder.diagnostics[0]?.detail).toContain("is a folder");
});
