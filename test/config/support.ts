import { Findings } from "../../src/config/diagnostic.ts";
import { formatDecimal } from "../../src/config/evaluate/decimal.ts";
import { createEvaluator } from "../../src/config/evaluate/functions.ts";
import type { Value } from "../../src/config/evaluate/value.ts";
import { ConfigFiles } from "../../src/config/files.ts";
import { type ConfigResult, parseConfig } from "../../src/config/index.ts";
import { createScope } from "../../src/config/inputs.ts";
import { SourceText } from "../../src/config/source.ts";
import { parseSource } from "../../src/config/syntax/body.ts";
import type { Body } from "../../src/config/syntax/tree.ts";
import { generateKeyPair } from "../../src/dev/host-key.ts";

const pair = generateKeyPair("host");
const user = generateKeyPair("dana@laptop");

/** Keys made for this run. */
export const hostKey = pair.private.trim();
export const authorizedKey = user.public.trim();

/** A whole server block; its first line is the first of the text. */
export const server = `server {
  host_key = <<KEY
${hostKey}
KEY
  authorized_key = "${authorizedKey}"
}
`;

/** What a target of type `aws_ec2` has to say. */
export const required = '  image_id = "ami-1"\n  instance_type = "t4g.nano"\n  key_name = "k"\n';

/** One that says this besides. */
export const ec2 = (body: string) => `target "a" "aws_ec2" {\n${required}${body}}\n`;

/** A place in what follows the server block: its first line is 1. */
export const at = (line: number, column: number, summary: string) =>
  `${server.split("\n").length - 1 + line}:${column} ${summary}`;

export function load(
  text: string,
  more: { env?: Record<string, string>; vars?: Record<string, string> } = {},
): ConfigResult {
  return parseConfig(Buffer.from(text), { file: "config.hcl", env: more.env ?? {}, vars: more.vars ?? {} });
}

/** `line:column summary` of each diagnostic. */
export function places({ diagnostics }: ConfigResult): string[] {
  return diagnostics.map(({ summary, range }) => `${range?.start.line}:${range?.start.column} ${summary}`);
}

/** The only target of a valid configuration made of the server block and this text. */
export function target(text: string) {
  const { config, diagnostics } = load(server + text);
  if (config === undefined) throw new Error(JSON.stringify(diagnostics));
  return config.targets[0];
}

/** The value of one expression, as plain data; or the problems, as `column: summary`. */
export function evaluate(expression: string, env: Record<string, string> = {}): unknown {
  const { value, problems } = evaluateAll(`x = ${expression}\n`, env);
  return problems.length > 0 ? problems : (value as { x: unknown }).x;
}

/** All attributes and blocks of a text, as plain data. */
export function evaluateAll(
  text: string,
  env: Record<string, string> = {},
): { value: unknown; problems: string[] } {
  const findings = new Findings();
  const source = new SourceText("x.hcl", text);
  const tree = parseSource(source, findings);
  const world = { files: new ConfigFiles(".", env), env, onSource: () => undefined, isSecret: () => false };
  const evaluator = createEvaluator(findings, world);
  const scope = createScope(tree, { env, vars: {} }, evaluator);
  const bodyValue = (body: Body): Record<string, unknown> => ({
    ...Object.fromEntries(
      body.attributes.map(({ name, expression }) => [name, plain(evaluator.evaluate(expression, scope))]),
    ),
    ...blocksValue(body),
  });
  const blocksValue = (body: Body) => {
    // Without a prototype: a block may be called toString, or __proto__.
    const result: Record<string, unknown> = Object.create(null);
    for (const block of body.blocks) {
      const path = [block.type, ...block.labels.map(({ value }) => value)];
      const last = path.pop() ?? "";
      let place = result;
      for (const step of path) {
        const next = (place[step] ?? Object.create(null)) as Record<string, unknown>;
        place[step] = next;
        place = next;
      }
      const list = (place[last] ?? []) as unknown[];
      place[last] = list;
      list.push(bodyValue(block.body));
    }
    return result;
  };
  const value = bodyValue(tree.body);
  const problems = findings.all.map(({ summary, place }) => {
    const position = place?.source.positionAt(place.span.start);
    return `${position?.line}:${position?.column} ${summary}`;
  });
  return { value, problems };
}

function plain(value: Value): unknown {
  switch (value.kind) {
    case "number":
      return Number(formatDecimal(value.value));
    case "string":
    case "bool":
      return value.value;
    case "tuple":
      return value.items.map(plain);
    case "object":
      return Object.fromEntries([...value.entries].map(([name, item]) => [name, plain(item)]));
    case "null":
    case "unknown":
      return null;
  }
}
