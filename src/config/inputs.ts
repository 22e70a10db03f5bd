import { didYouMean } from "./decode/decoder.ts";
import type { Findings } from "./diagnostic.ts";
import type { Evaluator } from "./evaluate/evaluator.ts";
import type { Namespace, Scope } from "./evaluate/scope.ts";
import { marked, string, toBool, UNKNOWN, type Value } from "./evaluate/value.ts";
import type { Attribute, Block, SyntaxTree } from "./syntax/tree.ts";

/** Values for `variable` blocks, from outside of the file. */
export interface GivenInputs {
  /** From `-var name=value`; each must be declared. */
  readonly vars: Readonly<Record<string, string>>;
  /** `LAZYSSH_VAR_name` stands for the variable `name`. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const VARIABLE_ARGUMENTS = ["default", "description", "sensitive"];
const ENV_PREFIX = "LAZYSSH_VAR_";

/** The scope of a configuration: `local.…` and `var.…`, each computed when it is first asked for. */
export function createScope(tree: SyntaxTree, given: GivenInputs, evaluator: Evaluator): Scope {
  const { findings } = evaluator;
  const definitions = new Map<string, () => Value>();
  const inputs = new Map<string, () => Value>();
  const namespaces = new Map<string, Namespace>([
    ["local", lazily(definitions)],
    ["var", lazily(inputs)],
  ]);
  const scope: Scope = { source: tree.source, variables: new Map(), namespaces, isTemplateFile: false };
  for (const block of tree.body.blocks) {
    if (block.type === "locals") defineLocals(block, definitions, scope, evaluator);
    if (block.type === "variable") defineVariable(block, inputs, given, scope, evaluator);
  }
  for (const name of Object.keys(given.vars)) {
    if (inputs.has(name)) continue;
    const detail =
      `-var sets "${name}", but the file has no variable "${name}" {} block. ${didYouMean(name, inputs.keys())}`.trim();
    findings.add({ severity: "error", summary: "Value for undeclared variable", detail, place: undefined });
  }
  // What nothing refers to is looked at too: a mistake in it is a mistake.
  for (const namespace of namespaces.values()) for (const name of namespace.names()) namespace.get(name);
  return scope;
}

function defineLocals(
  block: Block,
  definitions: Map<string, () => Value>,
  scope: Scope,
  evaluator: Evaluator,
): void {
  const { findings } = evaluator;
  const { source } = scope;
  for (const label of block.labels.slice(0, 1)) {
    findings.error(source, label, "Extraneous label for locals", 'A "locals" block has no labels.');
  }
  for (const inner of block.body.blocks) {
    findings.error(
      source,
      inner.typeSpan,
      "Unsupported block type",
      `A "locals" block holds arguments only.`,
    );
  }
  for (const attribute of block.body.attributes) {
    const { name, nameSpan } = attribute;
    if (definitions.has(name)) {
      findings.error(
        source,
        nameSpan,
        "Duplicate local value",
        `There is a local value named "${name}" already.`,
      );
    } else definitions.set(name, once(attribute, scope, evaluator));
  }
}

function defineVariable(
  block: Block,
  inputs: Map<string, () => Value>,
  given: GivenInputs,
  scope: Scope,
  evaluator: Evaluator,
): void {
  const { findings } = evaluator;
  const { source } = scope;
  const [label, extra] = block.labels;
  if (label === undefined || extra !== undefined) {
    findings.error(
      source,
      extra ?? block.openBrace,
      "Invalid variable block",
      'Write: variable "name" { default = "…" }',
    );
    return;
  }
  const name = label.value;
  if (inputs.has(name)) {
    findings.error(source, label, "Duplicate variable", `There is a variable named "${name}" already.`);
    return;
  }
  reportUnsupported(block, scope, findings);
  const argument = (wanted: string) => block.body.attributes.find((attribute) => attribute.name === wanted);
  const secret = argument("sensitive");
  const sensitive = secret !== undefined && toBool(evaluator.evaluate(secret.expression, scope)) !== false;
  const value = Object.hasOwn(given.vars, name) ? given.vars[name] : given.env[`${ENV_PREFIX}${name}`];
  const fallback = argument("default");
  if (value !== undefined) inputs.set(name, () => string(value, sensitive));
  else if (fallback) {
    const compute = once(fallback, scope, evaluator);
    inputs.set(name, () => marked(compute(), sensitive));
  } else {
    inputs.set(name, () => UNKNOWN);
    const detail = `The variable has no default: give it a value with -var '${name}=…' or ${ENV_PREFIX}${name}.`;
    findings.error(source, { start: block.start, end: label.end }, "No value for required variable", detail);
  }
}

function reportUnsupported({ body }: Block, { source }: Scope, findings: Findings): void {
  for (const { name, nameSpan } of body.attributes) {
    if (VARIABLE_ARGUMENTS.includes(name)) continue;
    const hint = didYouMean(name, VARIABLE_ARGUMENTS) || "There are: default, description, sensitive.";
    findings.error(
      source,
      nameSpan,
      "Unsupported argument",
      `An argument named "${name}" is not expected here. ${hint}`,
    );
  }
  for (const { typeSpan } of body.blocks) {
    findings.error(source, typeSpan, "Unsupported block type", 'A "variable" block holds arguments only.');
  }
}

/** Computes at the first call; a value that needs itself is reported where it is defined. */
function once({ name, nameSpan, expression }: Attribute, scope: Scope, evaluator: Evaluator): () => Value {
  let state: "new" | "computing" | { readonly value: Value } = "new";
  return () => {
    if (typeof state === "object") return state.value;
    if (state === "computing") {
      const detail = `The value of "${name}" is needed to compute it.`;
      return evaluator.report(scope.source, nameSpan, "Reference to itself", detail);
    }
    state = "computing";
    const value = evaluator.evaluate(expression, scope);
    state = { value };
    return value;
  };
}

function lazily(definitions: ReadonlyMap<string, () => Value>): Namespace {
  return { get: (name) => definitions.get(name)?.(), names: () => definitions.keys() };
}
