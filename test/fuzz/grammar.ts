import { MSG } from "../../src/server/protocol.ts";
import type { Rand } from "./rand.ts";
import { type Field, KEY_NAMES, type Message, PORT_NAMES } from "./steps.ts";

import {
  CHANNELS,
  CIPHERS,
  COMMANDS,
  EDGES,
  GLOBALS,
  KEX,
  MACS,
  NUMBERS,
  REQUESTS,
  SIGNATURES,
  TARGETS,
  USERS,
} from "./values.ts";

/** Well-formed messages, of every kind a server could meet, with fields that are likely to be looked at. */

export const number = (r: Rand): number => (r.chance(0.2) ? r.pick(EDGES) : r.pick(NUMBERS));
/** Mostly one that is there: who names another is disconnected. */
const channel = (r: Rand, open: readonly number[]): number =>
  r.chance(0.97) ? (open[r.int(open.length)] ?? 0) : number(r);
const size = (r: Rand): number =>
  r.weighted([
    [6, r.int(64)],
    [2, r.int(4096)],
    [2, 32_768],
    [1, 34_900],
  ]);
const data = (r: Rand): Field => ({ fill: size(r), byte: r.int(256) });
const names = (r: Rand, known: readonly [string, ...string[]]): string =>
  Array.from({ length: 1 + r.int(3) }, () => r.pick(known)).join(",");

/** `open`: the channels there should be. */
type Maker = (r: Rand, open: readonly number[]) => Message;

const openTunnel: Maker = (r) => ({
  type: MSG.CHANNEL_OPEN,
  fields: [
    "direct-tcpip",
    r.int(6),
    r.weighted([
      [6, 2 ** 20],
      [2, number(r)],
      [1, 0],
    ]),
    r.weighted([
      [8, 32_768],
      [2, number(r)],
    ]),
    r.chance(0.1) ? `${r.hex(4)}.dev` : r.pick(TARGETS),
    r.chance(0.9) ? { port: r.pick(PORT_NAMES) } : number(r),
    "127.0.0.1",
    65_535,
  ],
});

const openOther: Maker = (r) => ({
  type: MSG.CHANNEL_OPEN,
  fields: [
    r.pick(CHANNELS),
    r.int(6),
    2 ** 20,
    32_768,
    ...(r.chance(0.3) ? ["10.0.0.1", 22, "10.0.0.2", 5] : []),
  ],
});

const channelRequest: Maker = (r, open) => {
  const name = r.chance(0.4) ? "exec" : r.pick(REQUESTS);
  const fields: Field[] = [channel(r, open), name, r.chance(0.8)];
  if (name === "exec") fields.push(r.pick(COMMANDS));
  else if (name === "subsystem") fields.push(r.pick(["sftp", "status", ""]));
  else if (name === "env") fields.push("LANG", "C");
  else if (name === "pty-req")
    fields.push("xterm", number(r), number(r), 0, 0, { hex: r.pick(["00", "0100000003", ""]) });
  else if (name === "window-change") fields.push(number(r), number(r), 0, 0);
  else if (name === "signal") fields.push(r.pick(["TERM", "KILL", "HUP"]));
  else if (name === "exit-status") fields.push(number(r));
  return { type: MSG.CHANNEL_REQUEST, fields };
};

const globalRequest: Maker = (r) => {
  const name = r.pick(GLOBALS);
  const fields: Field[] = [name, r.chance(0.8)];
  if (name.includes("tcpip")) fields.push("", r.pick([0, 22, 65_536]));
  if (name.startsWith("hostkeys"))
    for (let n = r.int(4); n > 0; n--) fields.push({ blob: r.pick(KEY_NAMES) });
  return { type: MSG.GLOBAL_REQUEST, fields };
};

/** Of the connection protocol (RFC 4254). */
const CONVERSATION: readonly (readonly [number, Maker])[] = [
  [10, openTunnel],
  [5, openOther],
  [10, (r, open) => ({ type: MSG.CHANNEL_DATA, fields: [channel(r, open), data(r)] })],
  [2, (r, open) => ({ type: MSG.CHANNEL_EXTENDED_DATA, fields: [channel(r, open), r.int(3), data(r)] })],
  [4, (r, open) => ({ type: MSG.CHANNEL_WINDOW_ADJUST, fields: [channel(r, open), number(r)] })],
  [3, (r, open) => ({ type: MSG.CHANNEL_EOF, fields: [channel(r, open)] })],
  [3, (r, open) => ({ type: MSG.CHANNEL_CLOSE, fields: [channel(r, open)] })],
  [8, channelRequest],
  [5, globalRequest],
  [1, () => ({ type: MSG.REQUEST_SUCCESS, fields: [] })],
  [1, () => ({ type: MSG.REQUEST_FAILURE, fields: [] })],
  [
    1,
    (r, open) => ({
      type: MSG.CHANNEL_OPEN_CONFIRMATION,
      fields: [channel(r, open), channel(r, open), number(r), number(r)],
    }),
  ],
  [1, (r, open) => ({ type: MSG.CHANNEL_OPEN_FAILURE, fields: [channel(r, open), r.int(6), "no", ""] })],
  [1, (r, open) => ({ type: MSG.CHANNEL_SUCCESS, fields: [channel(r, open)] })],
  [1, (r, open) => ({ type: MSG.CHANNEL_FAILURE, fields: [channel(r, open)] })],
];

/** Where there is no channel to talk on. */
const OPENING = CONVERSATION.filter(([, maker]) => [openTunnel, openOther, globalRequest].includes(maker));

const publicKeyRequest: Maker = (r) => ({
  type: MSG.USERAUTH_REQUEST,
  fields: [
    r.pick(USERS),
    "ssh-connection",
    "publickey",
    r.chance(0.3),
    r.pick(SIGNATURES),
    r.chance(0.6) ? { blob: r.pick(KEY_NAMES) } : { hex: r.hex(r.int(300)) },
    ...(r.chance(0.3) ? [{ hex: r.hex(r.int(120)) }] : []),
  ],
});

/** A security key's blob (PROTOCOL.u2f), and a signature with flags and counter. */
const securityKeyRequest: Maker = (r) => {
  const algorithm = "sk-ssh-ed25519@openssh.com";
  const part = (hex: string): string => (hex.length / 2).toString(16).padStart(8, "0") + hex;
  const name = part(Buffer.from(algorithm).toString("hex"));
  const blob = name + part(r.hex(32)) + part(Buffer.from("ssh:").toString("hex"));
  const signature = name + part(r.hex(64)) + r.hex(5);
  return {
    type: MSG.USERAUTH_REQUEST,
    fields: [
      "jump",
      "ssh-connection",
      "publickey",
      r.chance(0.5),
      algorithm,
      { hex: blob },
      { hex: signature },
    ],
  };
};

/** Of the authentication protocol (RFC 4252). */
const LOGIN: readonly (readonly [number, Maker])[] = [
  [4, () => ({ type: MSG.SERVICE_REQUEST, fields: ["ssh-userauth"] })],
  [1, (r) => ({ type: MSG.SERVICE_REQUEST, fields: [r.pick(["ssh-connection", "", "x"])] })],
  [1, (r) => ({ type: MSG.SERVICE_ACCEPT, fields: [r.pick(["ssh-userauth", "ssh-connection"])] })],
  [8, publicKeyRequest],
  [3, securityKeyRequest],
  [2, (r) => ({ type: MSG.USERAUTH_REQUEST, fields: [r.pick(USERS), "ssh-connection", "none"] })],
  [
    2,
    (r) => ({
      type: MSG.USERAUTH_REQUEST,
      fields: [r.pick(USERS), "ssh-connection", "password", false, "secret"],
    }),
  ],
  [
    1,
    (r) => ({
      type: MSG.USERAUTH_REQUEST,
      fields: [r.pick(USERS), r.pick(["ssh-connection", "x"]), "keyboard-interactive", "", ""],
    }),
  ],
  [
    1,
    (r) => ({
      type: MSG.USERAUTH_REQUEST,
      fields: [
        "jump",
        "ssh-connection",
        "hostbased",
        "ssh-ed25519",
        { blob: "other" },
        "h",
        "u",
        { hex: r.hex(64) },
      ],
    }),
  ],
  [1, (r) => ({ type: 61, fields: [1, r.hex(4)] })],
  [1, () => ({ type: MSG.USERAUTH_SUCCESS, fields: [] })],
  [1, () => ({ type: MSG.USERAUTH_FAILURE, fields: ["publickey", false] })],
];

export const kexInit: Maker = (r) => ({
  type: 20,
  fields: [
    { raw: r.hex(16) },
    `${r.chance(0.3) ? "mlkem768x25519-sha256" : names(r, [...KEX, "sntrup761x25519-sha512@openssh.com", "diffie-hellman-group1-sha1"])},${r.pick(["kex-strict-c-v00@openssh.com", "ext-info-c", "x"])}`,
    names(r, ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-ed25519-cert-v01@openssh.com"]),
    names(r, CIPHERS),
    names(r, CIPHERS),
    names(r, MACS),
    names(r, MACS),
    r.pick(["none", "zlib@openssh.com,none", "zlib"]),
    "none",
    "",
    "",
    r.chance(0.2),
    0,
  ],
});

/** The client's part of a key exchange: points and numbers of any length, and the special ones. */
export const kexPublic: Maker = (r) => ({
  type: 30,
  fields: [
    r.weighted<Field>([
      [4, { hex: r.hex(32) }],
      [1, { fill: 32, byte: r.pick([0, 1, 255]) }],
      [2, { hex: `04${r.hex(r.pick([64, 96, 132]))}` }],
      [1, { hex: `02${r.hex(32)}` }],
      [2, { hex: r.hex(1184 + 32) }],
      // A key of ML-KEM that is none, and passes for one; then one of X25519.
      [3, { hex: `${"00".repeat(1184)}${r.hex(r.pick([32, 32, 31, 0, 64]))}` }],
      [1, { fill: 1184 + 32, byte: r.pick([0, 255]) }],
      [2, { hex: `00${r.hex(256)}` }],
      [1, { hex: r.pick(["", "00", "01", "02", "ff"]) }],
      [1, { hex: r.hex(r.int(600)) }],
    ]),
  ],
});

/** Of the transport (RFC 4253), where one does not belong. */
const TRANSPORT: readonly (readonly [number, Maker])[] = [
  [2, (r) => ({ type: MSG.IGNORE, fields: [data(r)] })],
  [1, (r) => ({ type: MSG.DEBUG, fields: [true, "debug", { hex: r.hex(3) }] })],
  [1, (r) => ({ type: MSG.UNIMPLEMENTED, fields: [number(r)] })],
  [1, (r) => ({ type: MSG.DISCONNECT, fields: [number(r), "bye\u001b[0m", ""] })],
  [2, (r) => ({ type: MSG.EXT_INFO, fields: [r.int(3), "server-sig-algs", "x", "no-flow-control", "p"] })],
  [2, kexInit],
  [2, () => ({ type: 21, fields: [] })],
  [2, kexPublic],
  [1, (r) => ({ type: 31 + r.int(19), fields: [{ hex: r.hex(r.int(80)) }] })],
  [1, (r) => ({ type: r.pick([192, 193]), fields: [{ hex: r.hex(r.int(80)) }] })],
];

const anything: Maker = (r) => ({ type: r.int(256), fields: [{ raw: r.hex(r.int(80)) }] });

export type Phase = "handshake" | "login" | "conversation";

/** A message for a phase, now and then one of another. */
export function wellFormed(r: Rand, phase: Phase, open: readonly number[] = []): Message {
  const own = { handshake: TRANSPORT, login: LOGIN, conversation: open.length > 0 ? CONVERSATION : OPENING }[
    phase
  ];
  const maker = r.weighted<() => Maker>([
    [40, () => r.weighted(own)],
    [1.5, () => r.weighted(TRANSPORT)],
    [0.5, () => r.weighted(r.chance(0.5) ? LOGIN : CONVERSATION)],
    [0.5, () => anything],
  ])();
  return maker(r, open);
}
