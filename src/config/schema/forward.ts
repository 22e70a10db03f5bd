import { optional, required, type Section } from "../decode/row.ts";
import { no, ok, refined, text } from "../decode/value-type.ts";
import type { ForwardTarget } from "../types.ts";
import { PORTS_DOC, ports } from "./common.ts";

export const host = refined(text, "host", (given) => {
  const bare = /^\[(.*)\]$/.exec(given.trim())?.[1] ?? given.trim();
  if (bare === "") return no("A host name or an IP address is needed.");
  if (/^[^:]+:\d+$/.test(bare))
    return no("Only a host is needed: the port is the one that the client asks for.");
  return /\s/.test(bare) ? no("A host has no white space in it.") : ok(bare);
});

/** `target "…" "forward" { … }` */
export const forwardTable = {
  to: required(
    "to",
    host,
    "host name or IP address to connect to; the port is the one that the client asks for.",
  ),
  ports: optional("ports", ports, PORTS_DOC),
};

export function forwardTarget(name: string, { values }: Section<typeof forwardTable>): ForwardTarget {
  return { type: "forward", name, ...values };
}
