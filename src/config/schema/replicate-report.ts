import type { Decoder } from "../decode/decoder.ts";
import { blocks, optional, type Section } from "../decode/row.ts";
import { mapOf, no, ok, oneOf, refined, text } from "../decode/value-type.ts";
import type { Hook, ReportSettings } from "../replicate.ts";
import { command } from "./replicate-words.ts";

const url = refined(text, "URL", (given) => {
  if (!/^https?:\/\/[^/]/.test(given) || !URL.canParse(given) || given.trim() !== given)
    return no("A URL with http:// or https:// is needed, without white space around it.");
  const { username, password } = new URL(given);
  return username === "" && password === ""
    ? ok(given)
    : no("A URL with a user or a password is not possible: give an Authorization header.");
});

/** Source: RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What HTTP itself is made of. */
const NOT_GIVEN = new Set(["host", "content-length", "transfer-encoding", "connection", "upgrade", "expect"]);

const headers = refined(mapOf(text), "map of strings", (given) => {
  const names = new Set<string>();
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    if (!TOKEN.test(name)) return no('The name of a header has letters, digits and "-".');
    if (NOT_GIVEN.has(lower)) return no(`The header ${lower} follows from the request, and cannot be set.`);
    if (names.has(lower)) return no("A header is in it twice: upper and lower case are the same.");
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      return no(
        "The value of a header is one line of plain text. The line break at the end of a file is taken away by trimspace(file(…)).",
      );
    names.add(lower);
  }
  return ok(given);
});

const hookTable = {
  url: optional("url", url, "where the report is sent to, as JSON.", { sensitive: true }),
  method: optional("method", oneOf("POST", "PUT", "GET", "HEAD"), "how it is sent. Default: `POST`."),
  headers: optional("headers", headers, "what is sent with it.", { sensitive: true }),
  command: optional(
    "command",
    command,
    "program that has the report as its standard input, and its arguments.",
  ),
};

const MOST_HOOKS = 20;

/** `report { … }` */
export const reportTable = {
  onStart: blocks("on_start", hookTable, "who is told that a run begins.", MOST_HOOKS),
  onSuccess: blocks("on_success", hookTable, "who is told that all is sent and verified.", MOST_HOOKS),
  onFailure: blocks("on_failure", hookTable, "who is told of any other end.", MOST_HOOKS),
};

type HookSection = Section<typeof hookTable>;

export function reportSettings({ values }: Section<typeof reportTable>, decoder: Decoder): ReportSettings {
  const hooks = (sections: readonly HookSection[]) => sections.flatMap((section) => hook(section, decoder));
  return {
    onStart: hooks(values.onStart),
    onSuccess: hooks(values.onSuccess),
    onFailure: hooks(values.onFailure),
  };
}

function hook({ values, span, header }: HookSection, decoder: Decoder): Hook[] {
  const { url, method, headers, command } = values;
  if (url === undefined && command === undefined) {
    decoder.error(header, "Missing required argument", 'One of "url" and "command" is needed.');
    return [];
  }
  if (url !== undefined && command !== undefined) {
    decoder.error(
      span("command"),
      "Conflicting arguments",
      'Only one of "url" and "command" can be in a block; there may be several blocks.',
    );
    return [];
  }
  if (url !== undefined)
    return [{ kind: "url", url, method: method ?? "POST", headers: Object.fromEntries(headers ?? []) }];
  for (const field of ["method", "headers"] as const) {
    if (values[field] === undefined) continue;
    decoder.error(
      span(field),
      "Conflicting arguments",
      `"${field}" is for a "url", and here is a "command".`,
    );
  }
  return [{ kind: "command", argv: command ?? [] }];
}
