import { MSG } from "../../src/server/protocol.ts";
import { kexInit, kexPublic, type Phase, wellFormed } from "./grammar.ts";
import { mutatedMessage, mutation } from "./mutate.ts";
import { type Rand, rand } from "./rand.ts";
import {
  type Edit,
  type Field,
  KEY_NAMES,
  type Login,
  type Message,
  type PortName,
  type Session,
  type Step,
} from "./steps.ts";
import { CIPHERS, HOST_KEYS, KEX, MACS, SIGNATURES, USERS } from "./values.ts";

/** The session of this number: always the same. */
export function generate(seed: number): Session {
  const r = rand(seed);
  const steps = r.weighted<(r: Rand) => Step[]>([
    [3, garbage],
    [4, brokenHandshake],
    [6, (r) => [exchange(r), ...(r.chance(0.8) ? [asksForLogin] : []), ...talk(r, "login", r.int(25))]],
    [3, (r) => [exchange(r), asksForLogin, ...logins(r)]],
    [14, (r) => [exchange(r), ...enters(r), ...talk(r, "conversation", 1 + r.int(60), opens(r))]],
  ])(r);
  return {
    seed,
    from: `127.${1 + r.int(254)}.${r.int(256)}.${1 + r.int(254)}`,
    steps: [...steps, ...farewell(r)],
  };
}

const IDENT: Step = { do: "bytes", hex: Buffer.from("SSH-2.0-fuzz\r\n").toString("hex") };

function bytes(text: string | Buffer): Step {
  return { do: "bytes", hex: Buffer.from(text).toString("hex") };
}

/** Before there is a protocol. */
function garbage(r: Rand): Step[] {
  return r.weighted<() => Step[]>([
    [2, () => [{ do: "bytes", hex: r.hex(1 + r.int(2000)) }]],
    [
      1,
      () => [
        bytes(
          r.pick([
            "GET / HTTP/1.1\r\n\r\n",
            "\r\n\r\n\r\n",
            "SSH-1.5-x\r\n",
            "SSH-2.0-\r\n",
            "\u0016\u0003\u0001",
          ]),
        ),
      ],
    ],
    [1, () => [bytes(`SSH-2.0-${"x".repeat(r.int(600))}\r\n`)]],
    [1, () => [bytes("hello\r\n".repeat(1 + r.int(3000))), IDENT]],
    [1, () => [bytes(`SSH-2.0-fuzz${r.pick(["\n", "\r", "\u0000\r\n", " \u001b[2J\r\n", ""])}`)]],
    [1, () => [{ ...IDENT, slow: true } as Step, { do: "bytes", hex: r.hex(40), slow: true }]],
    [1, () => [IDENT, { do: "bytes", hex: r.hex(r.int(3000)) }]],
    [1, () => [{ do: "wait", ms: r.int(300) }]],
  ])();
}

/** A key exchange of which something is wrong. */
function brokenHandshake(r: Rand): Step[] {
  const gathers = r.chance(0.5);
  const steps: Step[] = [...(gathers ? [{ do: "gather" } as const] : []), IDENT];
  const messages: Message[] = [];
  if (r.chance(0.9)) messages.push(kexInit(r, []));
  if (r.chance(0.8)) messages.push(kexPublic(r, []));
  if (r.chance(0.4)) messages.push({ type: 21, fields: [] });
  for (let n = r.int(3); n > 0; n--)
    messages.splice(r.int(messages.length + 1), 0, wellFormed(r, "handshake"));
  const wild = r.pick([0, 0.2, 0.6]);
  for (const message of messages) {
    const edits: Edit[] = r.chance(wild / 2) ? [mutation(r)] : [];
    steps.push({ do: "plain", message: r.chance(wild) ? mutatedMessage(r, message) : message, edits });
    if (!gathers && r.chance(0.3)) steps.push({ do: "wait", ms: r.int(20) });
  }
  if (r.chance(0.3)) steps.push({ do: "bytes", hex: r.hex(r.int(400)) });
  if (gathers) steps.push({ do: "release", pieces: 1 + r.int(6) });
  return steps;
}

function exchange(r: Rand): Step {
  const kex = r.chance(0.95) ? KEX[r.int(2)] : KEX[2];
  const hostKey = r.chance(0.8) ? HOST_KEYS[0] : r.pick(HOST_KEYS);
  return { do: "exchange", kex: kex ?? KEX[0], cipher: r.pick(CIPHERS), mac: r.pick(MACS), hostKey };
}

const asksForLogin: Step = { do: "send", message: { type: MSG.SERVICE_REQUEST, fields: ["ssh-userauth"] } };

const CERTIFIED = "ssh-ed25519-cert-v01@openssh.com";

function enters(r: Rand): Step[] {
  const user = r.chance(0.8) ? "jump" : "boot+archiver";
  const login = r.weighted<Login>([
    [7, { user, key: "client" }],
    [1, { user, key: "ecdsa" }],
    [1, { user, key: "rsa" }],
    [2, { user, key: "other", blob: "cert", algorithm: CERTIFIED }],
  ]);
  const steps: Step[] = [asksForLogin, { do: "login", login }];
  // Most wait for the answer; the rest go on as if it had come.
  if (r.chance(0.9)) steps.push({ do: "await", type: MSG.USERAUTH_SUCCESS });
  return steps;
}

/** Signed logins, most of them wrong. */
function logins(r: Rand): Step[] {
  return Array.from({ length: 1 + r.int(8) }, () => {
    const login: Login = {
      user: r.chance(0.8) ? r.pick(["jump", "boot+archiver"]) : r.pick(USERS),
      key: r.pick(["client", "other", "ecdsa", "rsa"]),
      ...(r.chance(0.5) && { algorithm: r.pick(SIGNATURES) }),
      ...(r.chance(0.5) && { blob: r.pick(KEY_NAMES) }),
      ...(r.chance(0.4) && { blobEdits: [mutation(r)] }),
      ...(r.chance(0.2) && { edits: [mutation(r)] }),
    };
    return { do: "login", login: r.chance(0.3) ? certified(r) : login };
  });
}

/** With a certificate that is whole, or has one thing changed. */
function certified(r: Rand): Login {
  const edit: Edit = ["flip", r.int(600), 1 << r.int(8)];
  return {
    user: "jump",
    key: "other",
    algorithm: CERTIFIED,
    blob: r.pick(["cert", "hostcert"]),
    ...(r.chance(0.7) && { blobEdits: [r.chance(0.7) ? edit : mutation(r)] }),
  };
}

/** Some channels that the server will open, so that there is something to talk about. */
function opens(r: Rand): Step[] {
  const count = r.int(5);
  const steps: Step[] = [];
  for (let id = 0; id < count; id++) {
    const window = r.weighted([
      [3, 2 ** 21],
      [1, 2 ** 32 - 1],
      [1, 1 + r.int(5000)],
    ]);
    const port = r.pick<PortName>(["echo", "echo", "sink", "source", "stuck", "bye"]);
    const what: Field[] = r.chance(0.7)
      ? ["direct-tcpip", id, window, 32_768, "archiver", { port }, "127.0.0.1", 65_535]
      : ["session", id, window, 32_768];
    steps.push({ do: "send", message: { type: MSG.CHANNEL_OPEN, fields: what } });
  }
  return [...steps, { do: "await", type: MSG.CHANNEL_OPEN_CONFIRMATION, times: count }];
}

/** Messages of a phase, whole and broken, and things that happen to a connection. */
function talk(r: Rand, phase: Phase, length: number, first: Step[] = []): Step[] {
  const wild = r.pick([0, 0, 0.02, 0.1, 0.5]);
  const rough = r.pick([0, 0.03, 0.1, 0.3]);
  const open = first.slice(1).map((_, id) => id);
  const steps = [...first];
  for (let n = 0; n < length; n++) {
    steps.push(...(r.chance(rough) ? rudeness(r, phase, open) : [says(r, phase, wild, open)]));
  }
  return steps;
}

function says(r: Rand, phase: Phase, wild: number, open: number[]): Step {
  const message = wellFormed(r, phase, open);
  const closed = message.type === MSG.CHANNEL_CLOSE ? open.indexOf(Number(message.fields[0])) : -1;
  if (closed !== -1) open.splice(closed, 1);
  const again = r.weighted([
    [20, 1],
    [2, 2],
    [1, 1 + r.int(20)],
    [0.3, 1 + r.int(300)],
  ]);
  const times = closed === -1 ? again : 1;
  return {
    do: "send",
    message: r.chance(wild) ? mutatedMessage(r, message) : message,
    ...(times > 1 && { times }),
  };
}

function rudeness(r: Rand, phase: Phase, open: readonly number[]): Step[] {
  const another = (): Message => wellFormed(r, phase, open);
  return r.weighted<() => Step[]>([
    [4, () => [{ do: "rekey" }, ...(r.chance(0.7) ? [{ do: "settle" } as const] : [])]],
    // In the middle of one.
    [3, () => [{ do: "rekey" }, { do: "send", message: another(), times: 1 + r.int(50) }, { do: "settle" }]],
    [4, () => gathered(r, phase, open)],
    // One after the other.
    [
      1,
      () => Array.from({ length: 2 + r.int(8) }, () => [{ do: "rekey" }, { do: "settle" }] as const).flat(),
    ],
    [2, () => [{ do: "spoil", message: another(), edits: [mutation(r)] }]],
    // What the length says, where it is not encrypted.
    [
      1,
      () => [
        {
          do: "spoil",
          message: another(),
          edits: [["put", 0, r.pick(["00000010", "000088b0", "ffffffff"])]],
        },
      ],
    ],
    [1, () => [{ do: "bytes", hex: r.hex(1 + r.int(200)) }]],
    [1, () => [{ do: "bytes", hex: r.hex(1 + r.int(40)), slow: true }]],
    [3, () => [{ do: "wait", ms: r.int(40) }]],
    [3, () => [{ do: "await", type: r.pick([91, 92, 94, 97, 99, 100]) }]],
    [
      1,
      () => [
        { do: "deaf" },
        { do: "send", message: another(), times: 1 + r.int(100) },
        { do: "wait", ms: r.int(60) },
        { do: "listen" },
      ],
    ],
    [0.5, () => [{ do: "end" }]],
  ])();
}

/** Several messages that arrive at once, or cut anywhere. */
function gathered(r: Rand, phase: Phase, open: readonly number[]): Step[] {
  const wild = r.pick([0, 0, 0.3]);
  const steps = Array.from({ length: 2 + r.int(12) }, () => says(r, phase, wild, [...open]));
  if (r.chance(0.3)) steps.splice(r.int(steps.length), 0, { do: "rekey" });
  return [{ do: "gather" }, ...steps, { do: "release", pieces: 1 + r.int(6) }, { do: "settle" }];
}

function farewell(r: Rand): Step[] {
  return r.weighted<() => Step[]>([
    [4, () => []],
    [3, () => [{ do: "wait", ms: r.int(80) }]],
    [2, () => [{ do: "end" }, { do: "wait", ms: r.int(80) }]],
    [2, () => [{ do: "reset" }]],
    [
      1,
      () => [
        { do: "send", message: { type: MSG.DISCONNECT, fields: [11, "bye", ""] } },
        { do: "wait", ms: 5 },
      ],
    ],
  ])();
}
