/** User data with the dead man's switch in it, or why it cannot be put in ("it is …"). */
export type Merge = { readonly text: string } | { readonly problem: string };

/**
 * How cloud-init tells kinds of user data apart, by how they begin; longer beginnings first.
 * Source: cloud-init documentation, "User data formats".
 */
const KINDS: readonly (readonly [start: string, type: string])[] = [
  ["#cloud-config-archive", "text/cloud-config-archive"],
  ["#cloud-config-jsonp", "text/cloud-config-jsonp"],
  ["#cloud-config", "text/cloud-config"],
  ["#cloud-boothook", "text/cloud-boothook"],
  ["#include-once", "text/x-include-once-url"],
  ["#include", "text/x-include-url"],
  ["#part-handler", "text/part-handler"],
  ["## template: jinja", "text/jinja2"],
  ["#!", "text/x-shellscript"],
];

const PLAIN = /^[\t\n\x20-\x7e]*$/;
const BASE64_LINE = /.{1,76}/g;

/** The content type that cloud-init gives user data that begins so; undefined when it knows none. */
export function cloudInitType(userData: string): string | undefined {
  return KINDS.find(([start]) => userData.startsWith(start))?.[1];
}

export function isMime(userData: string): boolean {
  return /^(?:mime-version|content-type):/i.test(userData);
}

/** Both as parts of one message. */
export function multipart(userData: string, type: string, script: string): string {
  let boundary = "lazyssh";
  while (userData.includes(boundary)) boundary += "-";
  const parts = [scriptPart(script), part(type, userData)].map((one) => `--${boundary}\n${one}\n`);
  return `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="${boundary}"\n\n${parts.join("")}--${boundary}--\n`;
}

/** A message with one more part, before the line that closes it. */
export function withPart(userData: string, script: string): Merge {
  const [header = ""] = userData.split(/\r?\n\r?\n/, 1);
  const [, quoted, bare] =
    /^content-type:\s*multipart\/[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*?boundary=(?:"([^"\r\n]+)"|([^\s;"]+))/im.exec(
      header,
    ) ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) return { problem: "it is a MIME message, but of one part" };
  const close = userData.lastIndexOf(`\n--${boundary}--`);
  if (close === -1) return { problem: `it is a MIME message without the line "--…--" that closes it` };
  return {
    text: `${userData.slice(0, close)}\n--${boundary}\n${scriptPart(script)}${userData.slice(close)}`,
  };
}

/** A boothook is run at each boot, and before anything that may hang. */
function scriptPart(script: string): string {
  return part("text/cloud-boothook", `#!/bin/sh\n${script}`);
}

/** Other than plain ASCII would be changed on the way: cloud-init reads a message by way of Python's text. */
function part(type: string, content: string): string {
  if (PLAIN.test(content)) return `Content-Type: ${type}\n\n${content}`;
  const encoded = Buffer.from(content).toString("base64").match(BASE64_LINE)?.join("\n");
  return `Content-Type: ${type}; charset="utf-8"\nContent-Transfer-Encoding: base64\n\n${encoded}`;
}
