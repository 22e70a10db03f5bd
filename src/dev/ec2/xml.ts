/** What an answer is made of. `undefined` leaves the element out; a list becomes `<item>` elements. */
type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

export type XmlFields = { readonly [name: string]: XmlValue };

const NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/";
const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n';

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for an element; characters XML 1.0 cannot hold become U+FFFD. */
function escapeText(text: string): string {
  return text
    .replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character)
    .replace(/\r/g, "&#xD;")
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd");
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  if (typeof value !== "object") return `<${name}>${escapeText(String(value))}</${name}>`;
  return `<${name}>${isList(value) ? value.map((item) => element("item", item)).join("") : fields(value)}</${name}>`;
}

function isList(value: readonly XmlValue[] | XmlFields): value is readonly XmlValue[] {
  return Array.isArray(value);
}

function fields(value: XmlFields): string {
  return Object.entries(value)
    .map(([name, child]) => element(name, child))
    .join("");
}

/** The answer of an action that succeeded. */
export function renderResponse(action: string, requestId: string, body: XmlFields): string {
  const name = `${action}Response`;
  return `${PROLOGUE}<${name} xmlns="${NAMESPACE}"><requestId>${requestId}</requestId>${fields(body)}</${name}>`;
}

/** The answer of one that did not (EC2 API reference, "Error codes"). */
export function renderError(code: string, message: string, requestId: string): string {
  const error = element("Errors", { Error: { Code: code, Message: message } });
  return `${PROLOGUE}<Response>${error}<RequestID>${requestId}</RequestID></Response>`;
}

/** A moment as EC2 writes it: `2026-01-31T12:00:00.000Z`. */
export function xmlTime(ms: number): string {
  return new Date(ms).toISOString();
}
