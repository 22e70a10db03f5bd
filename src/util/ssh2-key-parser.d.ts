/** What `ssh2.utils.parseKey` is, for key-parser.ts. */
declare module "ssh2/lib/protocol/keyParser.js" {
  import type { ParsedKey } from "ssh2";

  const keyParser: {
    parseKey(text: string): ParsedKey | Error | readonly ParsedKey[];
  };
  export default keyParser;
}
