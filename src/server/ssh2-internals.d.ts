/** What wire.ts uses of ssh2 1.17.0 below its public surface; test/server/wire.test.ts fails when it changes. */

declare module "ssh2/lib/protocol/kex.js" {
  import type { Offer } from "ssh2/lib/protocol/Protocol.js";

  /** An offer as it goes over the wire. It may be shared: nobody writes to it. */
  export class KexInit {
    constructor(offer: Offer);
    readonly totalSize: number;
  }
}

declare module "ssh2/lib/protocol/Protocol.js" {
  import type { KexInit } from "ssh2/lib/protocol/kex.js";

  /** What is asked of an exchange when it is over. */
  export interface PastKex {
    readonly sessionID: Buffer | undefined;
    remoteExtInfoEnabled: boolean;
    /** `serverHostKey` names the host key, and then the algorithm of the signature. */
    readonly negotiated: { serverHostKey: string };
  }

  export interface Kex extends PastKex {
    /** The client's KEXINIT, as it is hashed. */
    _remoteKexinit: Buffer;
    /** What the client sent, as it is hashed. */
    convertPublicKey(theirs: Buffer): Buffer;
    /** K without its length. Called before {@link getPublicKey}. */
    computeSecret(theirs: Buffer): Buffer | Error;
    /** What is answered, as it is hashed. */
    getPublicKey(): Buffer;
  }

  /** What a server signs with. */
  export interface SigningKey {
    /** ssh2 converts the signatures of the types that it knows. */
    readonly type: string;
    getPublicSSH(): Buffer;
    sign(data: Buffer): Buffer | Error;
  }

  export interface Cipher {
    /** A packet with length, padding and room for the tag; the payload starts at byte 5. */
    allocPacket(payloadLength: number): Buffer;
    /** Encrypts in place, writes, and counts the packet. */
    encrypt(packet: Buffer): void;
  }

  export interface Decipher {
    /** Number of packets received, the current one included. */
    readonly inSeqno: number;
    /** What there is of the packet that is being received; may be a view of what was given to `parse`. */
    _packet?: Uint8Array | null;
    _onPayload: PayloadHandler;
  }

  /** `undefined`: go on; `false`: go on with the next decipher; a number: the position to go on from. */
  export type PayloadHandler = (payload: Buffer) => number | false | undefined;

  export interface Algorithms {
    readonly cipher: readonly string[];
    readonly mac: readonly string[];
    readonly compress: readonly string[];
    readonly lang: readonly string[];
  }

  export interface Offer {
    readonly kex: readonly string[];
    readonly serverHostKey: readonly string[];
    readonly cs: Algorithms;
    readonly sc: Algorithms;
  }

  export interface ProtocolConfig {
    readonly server: boolean;
    readonly hostKeys?: Readonly<Record<string, SigningKey>>;
    readonly ident?: string;
    /** A plain one is written to. */
    readonly offer?: Offer | KexInit;
    readonly messageHandlers?: {
      readonly DISCONNECT?: (protocol: Protocol, code: number, text: string) => void;
    };
    readonly onWrite: (bytes: Uint8Array) => void;
    readonly onError: (error: Error) => void;
    readonly onHeader?: () => void;
    readonly onHandshakeComplete?: () => void;
  }

  export default class Protocol {
    constructor(config: ProtocolConfig);
    /** Set from the moment our KEXINIT is sent until both sides have switched keys. */
    readonly _kexinit: Buffer | undefined;
    /** The one that is going on, or the latest; ssh2 makes it from a KEXINIT. */
    _kex: Kex | PastKex | undefined;
    /** What is hashed as our identification line, and the client's, without their ends. */
    _identRaw: Buffer;
    _remoteIdentRaw: Buffer | undefined;
    readonly _cipher: Cipher;
    readonly _decipher: Decipher | undefined;
    _onPayload: PayloadHandler;
    /** By `negotiated.serverHostKey`. */
    _hostKeys: Readonly<Record<string, SigningKey>>;
    _skipNextInboundPacket: boolean;
    start: () => void;
    parse(chunk: Buffer, from: number, to: number): void;
    rekey(): void;
    disconnect(reason: number): void;
    /** Ends ciphers and output; undefined when that is done. Called before `onError`. */
    _destruct: (() => void) | undefined;
    cleanup(): void;
  }
}

declare module "ssh2/lib/protocol/crypto.js" {
  const crypto: {
    /** Whether the native binding is loaded. */
    readonly bindingAvailable: boolean;
    /** The WebAssembly part, which chacha20-poly1305 needs without the binding. */
    readonly init: Promise<void>;
  };
  export default crypto;
}
