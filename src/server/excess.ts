/** What a client has had the server do. */
export interface Demands {
  readonly loggedIn: boolean;
  /** Key exchanges after the first one. */
  readonly exchanges: number;
  /** Since it connected. */
  readonly seconds: number;
  /** Bytes from it, and to it. */
  readonly received: number;
  readonly sent: number;
}

/** Six keys with their certificates, twice over, are a tenth of it. */
const MOST_BEFORE_LOGIN = 256 * 1024;
/** Each costs a millisecond or two of CPU time: so many at any time, and one more a second, and a MiB. */
const EXCHANGES = 60;
const MIB = 1024 * 1024;

/** Why a client asks too much of the server; undefined as long as it does not. */
export function excess({ loggedIn, exchanges, seconds, received, sent }: Demands): string | undefined {
  if (!loggedIn) {
    if (received > MOST_BEFORE_LOGIN) return "the client sent too much before the login";
    return exchanges > 0 ? "the client exchanged keys again before the login" : undefined;
  }
  const allowed = EXCHANGES + seconds + (received + sent) / MIB;
  return exchanges > allowed ? "the client exchanged keys again and again" : undefined;
}
