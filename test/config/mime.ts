/** The parts of a multipart message as RFC 2046 §5.1 reads them: the line break before a delimiter belongs to the delimiter. */
export function parseMime(message: string): { type: string; content: string }[] {
  const [header = ""] = message.split("\n\n", 1);
  const [, quoted, bare] = /boundary=(?:"([^"]+)"|([^\s;]+))/.exec(header) ?? [];
  const [, ...pieces] = `\n${message.slice(header.length + 1)}`.split(`\n--${quoted ?? bare}`);
  if (!pieces.pop()?.startsWith("--")) throw new Error("the closing delimiter is missing");
  return pieces.map((piece) => {
    const at = piece.indexOf("\n\n");
    const fields = piece.slice(0, at);
    const body = piece.slice(at + 2);
    const type = /^content-type: ([^\s;]+)/im.exec(fields)?.[1] ?? "";
    return { type, content: /base64/.test(fields) ? Buffer.from(body, "base64").toString() : body };
  });
}
