import { Ec2Error, missingParameter } from "../cloud/error.ts";

interface Node {
  value: string | undefined;
  readonly children: Map<string, Node>;
}

/** Of all requests: not part of what is asked. */
const ENVELOPE = new Set(["Action", "Version", "ClientToken", "DryRun"]);

/**
 * The parameters of one EC2 query request (`Foo.1.Bar=value`, form-encoded), read as the API reference names them.
 * A list is numbered from 1; numbers may have gaps.
 */
export class Params {
  readonly #node: Node;
  readonly #path: string;

  private constructor(node: Node, path: string) {
    this.#node = node;
    this.#path = path;
  }

  static parse(body: string): Params {
    const root: Node = { value: undefined, children: new Map() };
    for (const [name, value] of new URLSearchParams(body)) {
      let node = root;
      for (const part of name.split(".")) {
        let child = node.children.get(part);
        if (child === undefined) {
          child = { value: undefined, children: new Map() };
          node.children.set(part, child);
        }
        node = child;
      }
      node.value = value;
    }
    return new Params(root, "");
  }

  text(name: string): string | undefined {
    return this.#node.children.get(name)?.value;
  }

  /** @throws Ec2Error `MissingParameter`. */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") throw missingParameter(`${this.#path}${name}`);
    return value;
  }

  /** @throws Ec2Error `InvalidParameterValue` for anything but a whole number in decimal. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,15}$/.test(value)) throw this.#invalid(name, value);
    return Number(value);
  }

  /** @throws Ec2Error `InvalidParameterValue` for anything but true and false. */
  flag(name: string): boolean | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (value !== "true" && value !== "false") throw this.#invalid(name, value);
    return value === "true";
  }

  /** One of a few words. @throws Ec2Error `InvalidParameterValue` for another. */
  choice<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw this.#invalid(name, value);
    return word;
  }

  list(name: string): string[] {
    return this.#numbered(name).flatMap(([, node]) => (node.value === undefined ? [] : [node.value]));
  }

  struct(name: string): Params | undefined {
    const node = this.#node.children.get(name);
    return node === undefined ? undefined : new Params(node, `${this.#path}${name}.`);
  }

  structs(name: string): Params[] {
    return this.#numbered(name).map(([index, node]) => new Params(node, `${this.#path}${name}.${index}.`));
  }

  /** Everything that is asked, in one text that does not depend on the order of parameters. */
  fingerprint(): string {
    const entries: string[] = [];
    const walk = (node: Node, path: string): void => {
      if (node.value !== undefined) entries.push(`${path}=${node.value}`);
      for (const [name, child] of node.children) {
        if (path !== "" || !ENVELOPE.has(name)) walk(child, path === "" ? name : `${path}.${name}`);
      }
    };
    walk(this.#node, "");
    return entries.sort().join("\n");
  }

  #numbered(name: string): [number, Node][] {
    const children = this.#node.children.get(name)?.children ?? new Map<string, Node>();
    return [...children]
      .filter(([key]) => /^\d+$/.test(key))
      .map(([key, node]): [number, Node] => [Number(key), node])
      .sort(([a], [b]) => a - b);
  }

  #invalid(name: string, value: string): Ec2Error {
    return new Ec2Error(
      "InvalidParameterValue",
      `Value (${value}) for parameter ${this.#path}${name} is invalid.`,
    );
  }
}
