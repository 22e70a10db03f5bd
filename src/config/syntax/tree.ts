import type { SourceText, Span } from "../source.ts";

/** The content of a file or of a block. */
export interface Body extends Span {
  readonly attributes: readonly Attribute[];
  readonly blocks: readonly Block[];
}

/** `name = expression` */
export interface Attribute extends Span {
  readonly name: string;
  readonly nameSpan: Span;
  readonly expression: Expression;
}

/** `type "label" { body }` */
export interface Block extends Span {
  readonly type: string;
  readonly typeSpan: Span;
  readonly labels: readonly Label[];
  readonly openBrace: Span;
  readonly body: Body;
}

export interface Label extends Span {
  readonly value: string;
}

/** Something that could not be read, though its name could: what it holds is unknown. */
export interface BrokenItem extends Span {
  readonly name: string | undefined;
}

export interface SyntaxTree {
  readonly source: SourceText;
  readonly body: Body;
  readonly broken: readonly BrokenItem[];
}

export type UnaryOperator = "-" | "!";
export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "=="
  | "!="
  | "<"
  | ">"
  | "<="
  | ">="
  | "&&"
  | "||";

export type Expression =
  | Template
  | For
  | (Span & { readonly kind: "number"; readonly text: string })
  | (Span & { readonly kind: "keyword"; readonly value: boolean | null })
  | (Span & { readonly kind: "variable"; readonly name: string })
  | (Span & { readonly kind: "parentheses"; readonly inner: Expression })
  | (Span & { readonly kind: "tuple"; readonly items: readonly Expression[] })
  | (Span & { readonly kind: "object"; readonly items: readonly ObjectItem[] })
  | Call
  | (Span & { readonly kind: "attribute"; readonly of: Expression; readonly name: string })
  | (Span & { readonly kind: "index"; readonly of: Expression; readonly key: Expression })
  | (Span & { readonly kind: "splat"; readonly of: Expression; readonly steps: readonly SplatStep[] })
  | (Span & { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression })
  | (Span & {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    })
  | (Span & {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    });

export interface ObjectItem {
  /** A bare word is the key itself. */
  readonly key: (Span & { readonly kind: "bare"; readonly name: string }) | Expression;
  readonly value: Expression;
}

export interface Call extends Span {
  readonly kind: "call";
  readonly name: string;
  readonly nameSpan: Span;
  readonly arguments: readonly Expression[];
  /** `f(list...)`: the items of the last argument are the arguments. */
  readonly expandLast: boolean;
}

/** What follows `[*]` or `.*`, applied to each item. */
export type SplatStep =
  | (Span & { readonly kind: "attribute"; readonly name: string })
  | (Span & { readonly kind: "index"; readonly key: Expression });

/** `[for k, v in collection : value if condition]` or `{for … : key => value...}` */
export interface For extends Span {
  readonly kind: "for";
  readonly keyName: string | undefined;
  readonly valueName: string;
  readonly collection: Expression;
  /** Present: the result is an object. */
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  /** `...`: values of the same key are gathered. */
  readonly group: boolean;
}

export interface Template extends Span {
  readonly kind: "template";
  readonly parts: readonly TemplatePart[];
}

export type TemplatePart =
  | (Span & { readonly kind: "text"; readonly value: string })
  | (Span & { readonly kind: "interpolation"; readonly expression: Expression })
  | (Span & {
      readonly kind: "if";
      readonly condition: Expression;
      readonly yes: readonly TemplatePart[];
      readonly no: readonly TemplatePart[];
    })
  | (Span & {
      readonly kind: "forEach";
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly parts: readonly TemplatePart[];
    });
