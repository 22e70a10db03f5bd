import { certificateHead, isCertificateType } from "../ssh-key/certificate.ts";
import { Fields } from "../ssh-key/fields.ts";
import { fingerprint } from "../ssh-key/public-key.ts";
import type { RevocationList } from "./list.ts";

/** OpenSSH PROTOCOL.krl: numbers of the sections, and of those within a section of certificates. */
const SECTION = { CERTIFICATES: 1, KEYS: 2, SHA1: 3, SIGNATURE: 4, SHA256: 5, EXTENSION: 255 } as const;
const PART = { SERIALS: 0x20, RANGE: 0x21, BITMAP: 0x22, IDS: 0x23, EXTENSION: 0x39 } as const;

const MAGIC = Buffer.from("SSHKRL\n\0", "latin1");
const VERSION = 1;
/** OpenSSH reads no longer number. */
const MOST_BITMAP_BYTES = 16_384 / 8;

export function isKrl(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

/**
 * A key revocation list in the binary form that `ssh-keygen -k -f` writes. Answers what the operator should know about it.
 *
 * @throws RangeError for anything that is not understood.
 */
export function readKrl(bytes: Buffer, list: RevocationList): readonly string[] {
  const fields = new Fields(bytes);
  fields.take(MAGIC.length);
  const version = fields.uint32();
  if (version !== VERSION)
    throw new RangeError(`it has version ${version} of the format, and ${VERSION} is known`);
  // Version of the list, when it was made, flags.
  for (let left = 3; left > 0; left -= 1) fields.uint64();
  // Reserved, comment.
  fields.string();
  fields.string();
  let signed = false;
  while (!fields.done) {
    const kind = fields.byte();
    const section = fields.string();
    if (kind === SECTION.SIGNATURE) {
      // What came was the key; the signature follows.
      fields.string();
      signed = true;
    } else if (signed) throw new RangeError("something follows its signature");
    else readSection(kind, section, list);
  }
  return signed ? ["its signature is not checked: keep it where only you can write."] : [];
}

function readSection(kind: number, section: Buffer, list: RevocationList): void {
  const fields = new Fields(section);
  switch (kind) {
    case SECTION.CERTIFICATES:
      readCertificates(fields, list);
      return;
    case SECTION.KEYS:
      while (!fields.done) list.key(plainKey(fields.string()));
      return;
    case SECTION.SHA1:
      while (!fields.done) list.digest("SHA1", fields.string());
      return;
    case SECTION.SHA256:
      while (!fields.done) list.digest("SHA256", fields.string());
      return;
    case SECTION.EXTENSION:
      readExtension(fields);
      return;
    default:
      throw new RangeError(`a section of it is of the unknown kind ${kind}`);
  }
}

function readCertificates(fields: Fields, list: RevocationList): void {
  const signer = fields.string();
  const authority = signer.length === 0 ? undefined : fingerprint(plainKey(signer));
  fields.string();
  while (!fields.done) {
    const kind = fields.byte();
    const part = new Fields(fields.string());
    switch (kind) {
      case PART.SERIALS:
        while (!part.done) list.serials(authority, part.uint64());
        break;
      case PART.RANGE:
        list.serials(authority, part.uint64(), part.uint64());
        part.end();
        break;
      case PART.BITMAP:
        readBitmap(part.uint64(), part.string(), authority, list);
        part.end();
        break;
      case PART.IDS:
        while (!part.done) list.id(authority, exactText(part.string()));
        break;
      case PART.EXTENSION:
        readExtension(part);
        break;
      default:
        throw new RangeError(`a section of its certificates is of the unknown kind ${kind}`);
    }
  }
}

/** Bit `n` of the number, from its end, stands for the serial `offset + n`. */
function readBitmap(
  offset: bigint,
  number: Buffer,
  authority: string | undefined,
  list: RevocationList,
): void {
  if (number.length > MOST_BITMAP_BYTES + 1) throw new RangeError("a bitmap of serial numbers is too long");
  for (let bit = 0; bit < number.length * 8; bit++) {
    const byte = number[number.length - 1 - (bit >> 3)] ?? 0;
    if ((byte >> (bit & 7)) & 1) list.serials(authority, offset + BigInt(bit));
  }
}

/** A text that was made to fit would revoke nothing. */
function exactText(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) throw new RangeError("a key id in it is not UTF-8");
  return text;
}

function readExtension(fields: Fields): void {
  const name = fields.text();
  const critical = fields.byte() !== 0;
  fields.string();
  fields.end();
  if (critical)
    throw new RangeError(
      `its extension ${JSON.stringify(name)} is not known, and it must not be passed over`,
    );
}

/** The key within a certificate; another key as it is. */
function plainKey(blob: Buffer): Buffer {
  const type = new Fields(blob).text();
  if (!isCertificateType(type)) return blob;
  const head = certificateHead({ type, blob });
  if (head === undefined)
    throw new RangeError("a certificate in it is damaged, or of a kind that is not supported");
  return head.key;
}
