import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** One file under src, as the compiler reads it. */
export interface Source {
  /** From the root of the repository, with forward slashes: `src/config/index.ts`. */
  readonly path: string;
  /** First folder under src, or the file itself for `src/main.ts`. */
  readonly room: string;
  readonly ast: ts.SourceFile;
  readonly imports: readonly Import[];
}

interface Import {
  /** As written: `../util/clock.ts`, `ssh2`, `node:net`. */
  readonly specifier: string;
  /** The file it means, from the root of the repository; undefined for packages. */
  readonly file: string | undefined;
  /** `type` is erased, `lazy` is loaded when the line is reached, `eager` with the file itself. */
  readonly kind: "type" | "lazy" | "eager";
  readonly line: number;
}

/** Every TypeScript file under src, parsed. */
export function readSources(): readonly Source[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .map((name) => posix.join("src", name.replaceAll("\\", "/")))
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), "utf8")));
}

export function parseSource(path: string, text: string): Source {
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return { path, room: path.split("/")[1] ?? path, ast, imports: importsOf(ast) };
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** 1-based, as editors count. */
export function lineOf(ast: ts.SourceFile, node: ts.Node): number {
  return ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1;
}

function importsOf(ast: ts.SourceFile): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, kind: Import["kind"]) => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    const { text } = specifier;
    const file = text.startsWith(".") ? posix.join(dirname(ast.fileName), text) : undefined;
    imports.push({ specifier: text, file, kind, line: lineOf(ast, node) });
  };
  walk(ast, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, isErased(node.importClause) ? "type" : "eager");
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly || allTypes(node.exportClause) ? "type" : "eager");
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], "lazy");
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, "type");
    }
  });
  return imports;
}

function isErased(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  return clause.name === undefined && allTypes(clause.namedBindings);
}

function allTypes(bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined): boolean {
  if (!bindings || !(ts.isNamedImports(bindings) || ts.isNamedExports(bindings))) return false;
  return bindings.elements.length > 0 && bindings.elements.every(({ isTypeOnly }) => isTypeOnly);
}
