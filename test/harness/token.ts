import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { message } from "../../src/server/protocol.ts";

/** What to do wrong. */
export interface TokenOptions {
  /** Signed as if the key were for this. */
  readonly application?: string;
  /** 1: touched, 4: its user verified. Default: touched. */
  readonly flags?: number;
  /** Signed and sent in place of flags and counter. */
  readonly seen?: Buffer;
  /** Flags and counter as they are sent, when they are not those that were signed. */
  readonly sent?: Buffer;
  readonly name?: string;
  readonly trailing?: Buffer;
}

/** A key on a security token (OpenSSH PROTOCOL.u2f), without the token. */
export interface Token {
  readonly type: string;
  readonly blob: Buffer;
  /** As in authorized_keys. */
  readonly publicLine: string;
  sign(data: Buffer, options?: TokenOptions): Buffer;
}

export function softToken(kind: "ed25519" | "ecdsa", application = "ssh:"): Token {
  const type = kind === "ed25519" ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com";
  const { publicKey, privateKey } =
    kind === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const [px, py] = [Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
  const key = kind === "ed25519" ? [px] : ["nistp256", Buffer.concat([Buffer.of(4), px, py])];
  const blob = strings(type, ...key, application);

  const signBytes = (data: Buffer): Buffer => {
    if (kind === "ed25519") return sign(null, data, privateKey);
    const numbers = sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" });
    return strings(mpint(numbers.subarray(0, 32)), mpint(numbers.subarray(32)));
  };
  let counter = 0;
  return {
    type,
    blob,
    publicLine: `${type} ${blob.toString("base64")} token`,
    sign(data, options = {}) {
      counter += 1;
      const flagsAndCounter = Buffer.alloc(5);
      flagsAndCounter.writeUInt8(options.flags ?? 1);
      flagsAndCounter.writeUInt32BE(counter, 1);
      const seen = options.seen ?? flagsAndCounter;
      const signed = Buffer.concat([sha256(options.application ?? application), seen, sha256(data)]);
      return Buffer.concat([
        strings(options.name ?? type, signBytes(signed)),
        options.sent ?? seen,
        options.trailing ?? Buffer.alloc(0),
      ]);
    },
  };
}

/** RFC 4251 §5: without zeros in front, but with one where the number would be negative. */
export function mpint(digits: Buffer): Buffer {
  const first = digits.findIndex((digit) => digit !== 0);
  const rest = first === -1 ? Buffer.alloc(0) : digits.subarray(first);
  return (rest[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), rest]) : rest;
}

/** Each as an SSH string. */
export function strings(...fields: readonly (string | Buffer)[]): Buffer {
  return message(0, ...fields).subarray(1);
}

function sha256(data: string | Buffer): Buffer {
  return createHash("sha256").update(data).digest();
}
