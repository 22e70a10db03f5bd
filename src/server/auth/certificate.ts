import { CLIENT_SIGNATURES, withCertificate } from "../algorithms.ts";
import { message, Reader } from "../protocol.ts";
import { fingerprint, type KeyType, keyFields, readPublicKey } from "../public-key.ts";
import { isWithin } from "./address.ts";
import { verifySignature } from "./signature.ts";

/** A certificate of a key (OpenSSH PROTOCOL.certkeys), as it was shown: nothing in it is true before its signature was checked. */
export interface Certificate {
  /** The key that it is of, by itself. */
  readonly key: Buffer;
  readonly serial: bigint;
  readonly type: number;
  readonly id: string;
  readonly principals: readonly string[];
  /** Seconds since the epoch; from the first on, and before the second, of which the greatest is later than any time. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly critical: CertificateOptions;
  readonly extensions: CertificateOptions;
  /** The key that has signed it. */
  readonly authority: Buffer;
  readonly signature: Buffer;
  /** What was signed. */
  readonly signed: Buffer;
}

/** By name, with their data: empty for those that have no value, else the value as a string (RFC 4251 §5). */
type CertificateOptions = ReadonlyMap<string, Buffer>;

/** `SSH_CERT_TYPE_USER`; 2 is a host's. */
const USER = 1;

/** @throws Error when it is not as the specification has it, to the last byte. */
export function readCertificate(type: KeyType, blob: Buffer): Certificate {
  const fields = new Reader(blob);
  if (fields.text() !== withCertificate(type)) throw new Error("it is of another type");
  fields.string(); // the nonce
  const key = message(0, type, ...keyFields(type, fields)).subarray(1);
  const certificate = {
    key,
    serial: fields.uint64(),
    type: fields.uint32(),
    id: text(fields.string()),
    principals: list(fields.string(), (names) => text(names.string())),
    validAfter: fields.uint64(),
    validBefore: fields.uint64(),
    critical: options(fields.string()),
    extensions: options(fields.string()),
  };
  fields.string(); // reserved
  const authority = fields.string();
  const signed = blob.subarray(0, fields.position);
  const signature = fields.string();
  if (fields.position !== blob.length) throw new Error("there is more than a certificate");
  return { ...certificate, authority, signed, signature };
}

/** Why a certificate is good for nobody from there at that time, whoever trusts its authority; undefined when it is good. */
export function flawOf(certificate: Certificate, now: number, address: string): string | undefined {
  const { type, principals, validAfter, validBefore, critical, extensions } = certificate;
  if (!isSigned(certificate)) return `its signature by ${fingerprint(certificate.authority)} is wrong`;
  if (type !== USER) return "it is not one for users";
  const seconds = BigInt(Math.floor(now / 1000));
  if (seconds < validAfter) return `it is not valid before ${when(validAfter)}`;
  if (seconds >= validBefore) return `it was valid until ${when(validBefore)}`;
  if (principals.length === 0) return "it is for nobody: it has no principals";
  for (const [name, data] of critical) {
    if (!CRITICAL.includes(name)) return `its critical option "${name}" is not known here`;
    if (name === "verify-required" ? data.length > 0 : valueIn(data) === undefined)
      return `its ${name} is damaged`;
  }
  for (const name of EXTENSIONS) {
    if ((extensions.get(name)?.length ?? 0) > 0) return `its ${name} is damaged`;
  }
  const networks = critical.get("source-address");
  if (networks && !isWithin(address, valueIn(networks) ?? "")) return `it may not be used from ${address}`;
  return undefined;
}

const CRITICAL = ["force-command", "source-address", "verify-required"];
const EXTENSIONS = ["no-touch-required", "permit-port-forwarding"];

/** What a certificate allows. */
export interface CertificateRights {
  readonly forwarding: boolean;
  readonly command: string | undefined;
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
}

/** Of a certificate without a {@link flawOf}. */
export function rightsOf({ critical, extensions }: Certificate): CertificateRights {
  const command = critical.get("force-command");
  return {
    forwarding: extensions.has("permit-port-forwarding"),
    command: command && valueIn(command),
    touchRequired: !extensions.has("no-touch-required"),
    verifyRequired: critical.has("verify-required"),
  };
}

/** An authority signs with any algorithm that a key may log in with, and is no certificate itself. SHA-1 is none of them. */
export function isSigned({ authority, signature, signed }: Certificate): boolean {
  try {
    const name = new Reader(signature).text();
    const algorithm = CLIENT_SIGNATURES.find((one) => one === name);
    if (!algorithm) return false;
    return verifySignature(algorithm, readPublicKey(authority), signature, signed) !== undefined;
  } catch {
    return false;
  }
}

function options(bytes: Buffer): CertificateOptions {
  const entries = list(bytes, (fields): [string, Buffer] => [text(fields.string()), fields.string()]);
  for (const [index, [name]] of entries.entries()) {
    const previous = entries[index - 1]?.[0];
    if (previous !== undefined && Buffer.compare(Buffer.from(previous), Buffer.from(name)) >= 0) {
      throw new Error(`option "${name}" is not in order, or there twice`);
    }
  }
  return new Map(entries);
}

function list<T>(bytes: Buffer, read: (fields: Reader) => T): T[] {
  const fields = new Reader(bytes);
  const items: T[] = [];
  while (fields.position < bytes.length) items.push(read(fields));
  return items;
}

/** The one string that an option's data is; undefined when it is something else. */
function valueIn(data: Buffer): string | undefined {
  try {
    const fields = new Reader(data);
    const value = text(fields.string());
    return fields.position === data.length ? value : undefined;
  } catch {
    return undefined;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws Error for what could be read as something else: bytes that are not UTF-8, and NUL. */
function text(bytes: Buffer): string {
  if (bytes.includes(0)) throw new Error("there is a NUL in a text");
  return utf8.decode(bytes);
}

/** Times beyond what a Date can hold stay numbers. */
function when(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString();
}
