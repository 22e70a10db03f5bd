import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type SignOptions, signatureOf } from "./sign.ts";
import type { KeyFiles } from "./ssh.ts";
import { strings } from "./token.ts";

const run = promisify(execFile);

/** Has `ssh-keygen -s` sign a public key, with these flags, for example `-I id -n alice -z 7`. @returns Line and blob of the certificate. */
export async function signedByKeygen(
  { publicLine }: { readonly publicLine: string },
  authority: KeyFiles,
  flags: readonly string[],
): Promise<{ readonly publicLine: string; readonly blob: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), "lazyssh-test-"));
  try {
    const file = join(folder, "key");
    await writeFile(`${file}.pub`, `${publicLine}\n`);
    await run("ssh-keygen", ["-q", "-s", authority.path, ...flags, `${file}.pub`]);
    const line = (await readFile(`${file}-cert.pub`, "utf8")).trim();
    return { publicLine: line, blob: Buffer.from(line.split(" ")[1] ?? "", "base64") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The fields of a certificate (OpenSSH PROTOCOL.certkeys), and what can be wrong with it. */
export interface CertificateParts {
  /** In front of everything. */
  readonly type?: string;
  readonly serial?: bigint;
  /** 1: of a user. */
  readonly kind?: number;
  readonly id?: string;
  readonly principals?: readonly (string | Buffer)[];
  readonly validAfter?: bigint;
  readonly validBefore?: bigint;
  /** Names and their data, in this order. */
  readonly critical?: readonly (readonly [string, Buffer])[];
  readonly extensions?: readonly (readonly [string, Buffer])[];
  /** The blob of who is said to have signed. */
  readonly authority?: Buffer;
  /** How it is signed wrongly. */
  readonly sign?: SignOptions;
  /** Instead of the authority's. */
  readonly signature?: (signed: Buffer) => Buffer;
  readonly trailing?: Buffer;
}

/** A certificate by hand, also one that no `ssh-keygen` would make. Without parts it is a good one for `alice`, for ever. */
export function certificateOf(
  key: { readonly type: string; readonly blob: Buffer },
  authority: KeyFiles,
  parts: CertificateParts = {},
): Buffer {
  const type = parts.type ?? `${key.type.replace(/@openssh\.com$/, "")}-cert-v01@openssh.com`;
  const options = (list: CertificateParts["critical"] = []) =>
    Buffer.concat(list.map(([name, data]) => strings(name, data)));
  const kind = Buffer.alloc(4);
  kind.writeUInt32BE(parts.kind ?? 1);
  const signed = Buffer.concat([
    strings(type, randomBytes(32)),
    key.blob.subarray(4 + key.type.length),
    uint64(parts.serial ?? 0n),
    kind,
    strings(parts.id ?? "by hand", Buffer.concat((parts.principals ?? ["alice"]).map((one) => strings(one)))),
    uint64(parts.validAfter ?? 0n),
    uint64(parts.validBefore ?? 2n ** 64n - 1n),
    strings(options(parts.critical), options(parts.extensions), "", parts.authority ?? authority.blob),
  ]);
  const algorithm = authority.type === "ssh-rsa" ? "rsa-sha2-512" : authority.type;
  const signature = parts.signature?.(signed) ?? signatureOf(authority, algorithm, signed, parts.sign);
  return Buffer.concat([signed, strings(signature), parts.trailing ?? Buffer.alloc(0)]);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
