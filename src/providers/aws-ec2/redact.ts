const LONGEST = 400;
/** A blob of use only to who may decode it, and the SDK's advice to its programmer. */
const NOISE =
  /\s*(Encoded authorization failure message:|Deserialization error: to see the raw response).*$/is;

/** A text from outside, made fit to be shown: short, on one line, without what is secret. */
export type Redact = (text: string) => string;

/**
 * Takes user data out of what a cloud answers: some echo the parameters they do not like. Both the plain text
 * and its base64 form are found, also in pieces.
 */
export function createRedact(userData: string | undefined): Redact {
  const plain = userData ?? "";
  const encoded = Buffer.from(plain, "utf8").toString("base64");
  const lines = plain
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.length >= 8);
  const secret = (word: string) => encoded.includes(word.replace(/=+$/, ""));

  return (text) => {
    const hidden = lines
      .reduce((left, line) => left.replaceAll(line, "(hidden)"), text)
      .replace(/[A-Za-z0-9+/]{12,}=*/g, (word) => (secret(word) ? "(hidden)" : word));
    const line = hidden.replace(NOISE, "").replace(/\s+/g, " ").trim();
    return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
  };
}
