import fc from "fast-check";

/** A literal value, and one way to write it. */
interface Written {
  readonly value: unknown;
  readonly text: string;
}

const NAME = fc
  .stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/)
  .filter((name) => !["true", "false", "null", "for"].includes(name));

/** Text of any characters, in the normal form that HCL keeps strings in. */
const anyText = fc
  .oneof(
    fc.string({ unit: "grapheme", maxLength: 12 }),
    fc.string({
      unit: fc.constantFrom("$", "%", "{", "}", "~", "\\", '"', "\n", "\t", "é", "👩‍👩‍👧", "#", "a"),
      maxLength: 12,
    }),
  )
  .map((text) => text.normalize("NFC"));

/** A quoted string that stands for exactly this text. */
export function quote(text: string): string {
  const escaped = text
    .replace(/["\\]/g, "\\$&")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replace(/([$%])\{/g, "$1$1{");
  return `"${escaped}"`;
}

const plain: fc.Arbitrary<Written> = fc.oneof(
  anyText.map((value) => ({ value, text: quote(value) })),
  fc.nat({ max: 1_000_000 }).map((value) => ({ value, text: String(value) })),
  fc
    .tuple(fc.nat({ max: 9999 }), fc.nat({ max: 99 }))
    .map(([a, b]) => ({ value: Number(`${a}.${b}`), text: `${a}.${b}` })),
  fc.boolean().map((value) => ({ value, text: String(value) })),
  fc.constant({ value: null, text: "null" }),
);

const { value: written } = fc.letrec<{ value: Written }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: plain },
    {
      weight: 1,
      arbitrary: fc.array(tie("value"), { maxLength: 4 }).chain((items) =>
        fc.constantFrom(", ", ",\n", " , # note\n").map((separator) => ({
          value: items.map((item) => item.value),
          text: `[${items.map((item) => item.text).join(separator)}]`,
        })),
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(fc.tuple(NAME, tie("value")), { maxLength: 4, selector: ([name]) => name })
        .chain((items) =>
          fc.constantFrom(", ", "\n", "\n\n").map((separator) => ({
            value: Object.fromEntries(items.map(([name, item]) => [name, item.value])),
            text: `{${separator.trim()}${items.map(([name, item]) => `${name} = ${item.text}`).join(separator)}}`.replace(
              /^\{,/,
              "{",
            ),
          })),
        ),
    },
  ),
}));

const HEREDOC_LINE = fc.stringMatching(/^[ a-z0-9"\\#]{0,12}$/).filter((line) => line.trim() !== "END");
const heredoc: fc.Arbitrary<Written> = fc
  .array(HEREDOC_LINE, { minLength: 1, maxLength: 5 })
  .map((lines) => ({ value: `${lines.join("\n")}\n`, text: `<<END\n${lines.join("\n")}\nEND` }));

type Item = (seen: Map<string, unknown>) => string;

const attribute: fc.Arbitrary<Item> = fc
  .tuple(NAME, fc.oneof({ weight: 5, arbitrary: written }, { weight: 1, arbitrary: heredoc }))
  .map(([name, { value, text }]) => (seen) => {
    if (seen.has(name)) return "";
    seen.set(name, value);
    return `${name} = ${text}\n`;
  });

const filler: fc.Arbitrary<Item> = fc
  .constantFrom("\n", "# note {\n", '  // note "\n', "/* note\n<<E */\n")
  .map((text) => () => text);

function block(body: fc.Arbitrary<Item>): fc.Arbitrary<Item> {
  return fc
    .tuple(
      NAME,
      fc.option(anyText.filter((label) => !/[\n\r\t]/.test(label))),
      fc.array(body, { maxLength: 4 }),
    )
    .map(([type, label, items]) => (seen) => {
      // One place for each block keeps clear of how lists of blocks are written down as data.
      if (seen.has(type)) return "";
      const inner = new Map<string, unknown>();
      const text = items.map((item) => item(inner)).join("");
      const list = [Object.fromEntries(inner)];
      seen.set(type, label === null ? list : { [label]: list });
      return `${type}${label === null ? "" : ` ${quote(label)}`} {\n${text}}\n`;
    });
}

/** A document of literal values, and the data it stands for. */
export const literalDocument: fc.Arbitrary<{ text: string; value: unknown }> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: attribute },
      { weight: 1, arbitrary: filler },
      { weight: 2, arbitrary: block(fc.oneof(attribute, filler, block(attribute))) },
    ),
    { maxLength: 8 },
  )
  .map((items) => {
    const seen = new Map<string, unknown>();
    const text = items.map((item) => item(seen)).join("");
    return { text, value: Object.fromEntries(seen) };
  });

/** A text with a few pieces cut out, doubled or replaced. */
/** Always text that UTF-8 can hold: half of a surrogate pair becomes U+FFFD. */
export function mutated(text: string): fc.Arbitrary<string> {
  return damaged(text).map((result) => Buffer.from(result).toString());
}

function damaged(text: string): fc.Arbitrary<string> {
  const piece = fc.constantFrom(
    "",
    '"',
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<<END\n",
    "${",
    "%{ if ",
    "~}",
    "=",
    "\n",
    ",",
    ".",
    "\\",
    "'",
    "/*",
    "#",
    "a ",
    "0",
    "é",
  );
  const change = fc.tuple(fc.nat({ max: text.length }), fc.nat({ max: 3 }), piece);
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      changes.reduce((now, [at, cut, insert]) => now.slice(0, at) + insert + now.slice(at + cut), text),
    );
}
