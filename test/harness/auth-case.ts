import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { AuthorizedKey, Revocations, UserConfig } from "../../src/config/access.ts";
import { CLIENT_SIGNATURES, withCertificate } from "../../src/server/algorithms.ts";
import { type AuthContext, type AuthDecision, type AuthRequest, decide } from "../../src/server/auth.ts";
import type { Permissions } from "../../src/server/identity.ts";
import { createLogin } from "../../src/server/login.ts";
import { MSG, message } from "../../src/server/protocol.ts";
import type { Wire } from "../../src/server/wire.ts";
import { signedByKeygen } from "./certificate.ts";
import { authorizedKey, userConfig } from "./server-config.ts";
import { signatureOf } from "./sign.ts";
import { type KeyFiles, type SshFolder, sshFolder } from "./ssh.ts";
import { softToken, type Token, type TokenOptions } from "./token.ts";

/** A key, or a certificate of one, with whatever makes its signatures. */
export interface Shown {
  readonly type: string;
  readonly blob: Buffer;
  readonly publicLine: string;
  /** As a login request names it. */
  readonly algorithm: string;
  sign(data: Buffer): Buffer;
}

export function shown(key: KeyFiles, algorithm = key.type): Shown {
  return { ...key, algorithm, sign: (data) => signatureOf(key, algorithm, data) };
}

export function shownToken(token: Token, options: TokenOptions = {}): Shown {
  const { type, blob, publicLine, sign } = token;
  return { type, blob, publicLine, algorithm: type, sign: (data) => sign(data, options) };
}

/** The same key, shown by its certificate. */
export function certified(key: Shown, blob: Buffer): Shown {
  return { ...key, blob, algorithm: withCertificate(key.algorithm) };
}

/** Noon, of a day without meaning. */
export const NOW = Date.parse("2026-06-01T12:00:00Z");
export const ADDRESS = "192.0.2.7";
export const NOTHING_REVOKED: Revocations = { keys: new Set(), serials: [], ids: [] };

/** One login, and what has to come of it. */
export interface AuthCase {
  readonly shown: Shown;
  /** The lines of the user `alice`, or all users. */
  readonly lines?: readonly AuthorizedKey[];
  readonly users?: readonly UserConfig[];
  readonly login?: string;
  readonly now?: number;
  readonly address?: string;
  readonly revoked?: Partial<Revocations>;
  /** A part of the reason that it is refused for, or what is accepted. */
  readonly expected: string | Accepted;
}

export interface Accepted extends Partial<Permissions> {
  /** Default: alice. */
  readonly user?: string;
  readonly certificate?: { readonly id?: string; readonly serial?: string; readonly authority?: string };
  readonly boot?: string;
}

/** Runs a case: as a question, with a signature, and with signatures that are wrong in one thing each. */
export function check(one: AuthCase): void {
  const context: AuthContext = {
    users: one.users ?? [userConfig("alice", one.lines ?? [])],
    revoked: { ...NOTHING_REVOKED, ...one.revoked },
    now: one.now ?? NOW,
    address: one.address ?? ADDRESS,
  };
  const { algorithm, blob, sign } = one.shown;
  const user = one.login ?? "jump";
  const signed = randomBytes(100);
  const signature = sign(signed);
  const ask = { user, method: "publickey", key: { algorithm, blob } };
  const proved = { ...ask, key: { ...ask.key, proof: { signature, signed } } };
  const answer = decide(proved, context);
  expect(decide(proved, context)).toEqual(answer);
  if (typeof one.expected === "string") {
    expect(answer).toEqual({ kind: "reject", reason: expect.stringContaining(one.expected) as string });
    const asked = decide(ask, context);
    // What is wrong with the signature cannot be known before it is there.
    if (asked.kind === "prove") expect(one.expected).toMatch(/signature by|does not suffice/);
    else expect(asked).toEqual(answer);
    if (asked.kind !== "prove") expect(saidOf(ask, context)).toEqual([FAILURE]);
    expect(saidOf(proved, context)).toEqual([FAILURE]);
    return;
  }
  const { user: name = "alice", certificate, boot, ...permissions } = one.expected;
  expect(answer).toMatchObject({ kind: "accept", boot, identity: { user: name, permissions } });
  if (answer.kind === "accept") {
    if (certificate) expect(answer.identity.certificate).toMatchObject(certificate);
    else expect(answer.identity.certificate).toBeUndefined();
  }
  expect(decide(ask, context)).toEqual({ kind: "prove", algorithm, blob });
  expectNoForgery(proved, context);
}

type Proved = AuthRequest & Required<Pick<AuthRequest, "key">>;

/** Every other algorithm, key, signature or text signed is refused. */
function expectNoForgery(request: Proved, context: AuthContext): void {
  const { key } = request;
  const { signature, signed } = key.proof ?? { signature: Buffer.alloc(0), signed: Buffer.alloc(0) };
  const expectRefused = (what: string, change: Partial<Proved["key"]>): void => {
    const forged: AuthDecision = decide({ ...request, key: { ...key, ...change } }, context);
    expect(forged.kind, what).toBe("reject");
  };
  for (const name of CLIENT_SIGNATURES.flatMap((one) => [one, withCertificate(one)])) {
    if (name !== key.algorithm) expectRefused(`by ${name}`, { algorithm: name });
  }
  for (let at = 0; at < signature.length; at += 7) {
    expectRefused(`a bit of byte ${at}`, { proof: { signature: flipped(signature, at), signed } });
  }
  for (const length of [0, 4, signature.length - 1]) {
    expectRefused(`${length} bytes`, { proof: { signature: signature.subarray(0, length), signed } });
  }
  expectRefused("more bytes", { proof: { signature: Buffer.concat([signature, Buffer.of(0)]), signed } });
  expectRefused("other data", { proof: { signature, signed: flipped(signed, 50) } });
  for (let at = 0; at < key.blob.length; at += 13) {
    expectRefused(`byte ${at} of the key`, { blob: flipped(key.blob, at) });
  }
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

const FAILURE = message(MSG.USERAUTH_FAILURE, "publickey", false);

/** Everything that a client hears after such a request. */
function saidOf({ user, method, key }: AuthRequest, context: AuthContext): readonly Buffer[] {
  const said: Buffer[] = [];
  const login = createLogin({
    wire: {
      sessionId: () => Buffer.alloc(32),
      send: (payload: Buffer) => said.push(payload),
    } as unknown as Wire,
    context: () => context,
    tries: 6,
    onOutcome: () => undefined,
    onVerified: () => undefined,
    boot: () => Promise.resolve(true),
    onEnter: () => undefined,
  });
  login.message(message(MSG.SERVICE_REQUEST, "ssh-userauth"));
  const { algorithm = "", blob = Buffer.alloc(0), proof } = key ?? {};
  const fields = [user, "ssh-connection", method, proof !== undefined, algorithm, blob] as const;
  login.message(message(MSG.USERAUTH_REQUEST, ...fields, ...(proof ? [proof.signature] : [])));
  return said.slice(1);
}

/** Keys of every type, made once for a test file. */
export interface Keys extends AsyncDisposable {
  readonly folder: SshFolder;
  /** One of each algorithm that logs in, by its name. */
  readonly each: Readonly<Record<string, Shown>>;
  readonly ed25519: Shown;
  readonly rsa: Shown;
  readonly other: Shown;
  readonly token: Token;
  readonly authority: KeyFiles;
  readonly authorities: Readonly<Record<string, KeyFiles>>;
  /** A certificate by `ssh-keygen -I id-7` and these flags. Default: of `ed25519`, by `authority`. */
  certificate(flags: readonly string[], key?: Shown, authority?: KeyFiles): Promise<Shown>;
}

export async function makeKeys(): Promise<Keys> {
  const folder = await sshFolder();
  const [ed25519, other, p256, p384, p521, rsa, authority, ecdsaAuthority, rsaAuthority] = await Promise.all([
    folder.key("ed25519"),
    folder.key("other"),
    folder.key("p256", "ecdsa", 256),
    folder.key("p384", "ecdsa", 384),
    folder.key("p521", "ecdsa", 521),
    folder.key("rsa", "rsa", 2048),
    folder.key("authority"),
    folder.key("ecdsa-authority", "ecdsa", 384),
    folder.key("rsa-authority", "rsa", 3072),
  ]);
  const token = softToken("ed25519");
  const all = [ed25519, p256, p384, p521].map((key) => shown(key));
  all.push(shownToken(token), shownToken(softToken("ecdsa")));
  all.push(shown(rsa, "rsa-sha2-512"), shown(rsa, "rsa-sha2-256"));
  return {
    folder,
    each: Object.fromEntries(all.map((key) => [key.algorithm, key])),
    ed25519: shown(ed25519),
    rsa: shown(rsa, "rsa-sha2-512"),
    other: shown(other),
    token,
    authority,
    authorities: { ed25519: authority, ecdsa: ecdsaAuthority, rsa: rsaAuthority },
    async certificate(flags, key = shown(ed25519), by = authority) {
      const { blob, publicLine } = await signedByKeygen(key, by, ["-I", "id-7", ...flags]);
      return { ...certified(key, blob), publicLine };
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A line of authorized_keys with this key. */
export function line(key: Pick<Shown, "type" | "blob">, options: Partial<AuthorizedKey> = {}): AuthorizedKey {
  return authorizedKey(key, options);
}

/** A line that trusts this authority. */
export function trusts(authority: KeyFiles, options: Partial<AuthorizedKey> = {}): AuthorizedKey {
  return authorizedKey(authority, { certAuthority: true, ...options });
}
