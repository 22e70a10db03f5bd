declare module "hcl2-parser" {
  /** HashiCorp's parser, compiled: the value of a document, and an error that says only that there is one. */
  export function parseToObject(text: string): [value: unknown, error: unknown];
}
