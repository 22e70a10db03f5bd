import type { Hook } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { backoffMs } from "../../util/retry.ts";
import { version } from "../../util/version.ts";

export type UrlHook = Extract<Hook, { kind: "url" }>;

export interface Delivery {
  readonly clock: Clock;
  /** Ends it; it is then a problem like any other. */
  readonly signal: AbortSignal;
}

const MOST_TRIES = 3;
const ANSWER_MS = 10_000;
const MOST_REDIRECTS = 3;

/** What came of one try. */
type Try =
  | { readonly kind: "told" }
  /** It may go better next time. */
  | { readonly kind: "retry"; readonly problem: string }
  | { readonly kind: "refused"; readonly problem: string };

/** What of a URL may be shown: path and query may hold a token. */
export function hostOf({ url }: Pick<UrlHook, "url">): string {
  return URL.canParse(url) ? new URL(url).host : "a URL that is none";
}

/**
 * Sends the report (not with GET and HEAD, which have no body) and answers with what went wrong, if anything. Each of three tries has 10 s;
 * only what may pass is tried again: a server's own errors (5xx), no connection, no answer. So a report may arrive twice.
 *
 * Redirects are followed three times. Method and body stay as they are (but for 303); the headers go along only to the same origin, or to
 * the same host by https; and never from https to http.
 *
 * Proxies of the environment (`HTTPS_PROXY`) are not used. Further certificate authorities are given to Node by `NODE_EXTRA_CA_CERTS`.
 *
 * Neither the URL beyond its host nor a header nor anything that was answered is in what is said.
 */
export async function sendReport(
  hook: UrlHook,
  report: string,
  { clock, signal }: Delivery,
): Promise<string | undefined> {
  for (let tries = 1; ; tries++) {
    if (signal.aborted) return "it was not told, because the run was interrupted";
    const result = await once(hook, report, { clock, signal });
    if (result.kind === "told") return undefined;
    if (result.kind === "refused") return result.problem;
    if (tries === MOST_TRIES) return `${result.problem}, in ${MOST_TRIES} tries`;
    await clock.sleep(backoffMs(tries), signal).catch(() => undefined);
  }
}

async function once(hook: UrlHook, report: string, { clock, signal }: Delivery): Promise<Try> {
  const late = "it did not answer within 10 s";
  using limit = deadline(clock, ANSWER_MS, () => late, signal);
  try {
    return await follow(hook, report, limit.signal);
  } catch (error) {
    if (signal.aborted)
      return { kind: "refused", problem: "it was not told, because the run was interrupted" };
    return { kind: "retry", problem: limit.signal.aborted ? late : failure(error) };
  }
}

async function follow(hook: UrlHook, report: string, signal: AbortSignal): Promise<Try> {
  const origin = new URL(hook.url);
  let url = origin;
  let method = hook.method;
  for (let redirects = 0; ; redirects++) {
    const hasBody = method !== "GET" && method !== "HEAD";
    const { status, words, location } = await exchange(url, {
      method,
      headers: headersFor(hook, { hasBody, trusted: isTrusted(origin, url) }),
      body: hasBody ? report : undefined,
      signal,
    });
    const by = url.host === origin.host ? "it" : `${url.host}, where it redirects to,`;
    if (status >= 200 && status < 300) return { kind: "told" };
    if (status >= 500) return { kind: "retry", problem: `${by} answered ${words}` };
    if (status < 300 || status >= 400 || location === undefined) {
      return { kind: "refused", problem: `${by} answered ${words}: look at URL, method and headers` };
    }
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (!next || !mayFollow(url, next)) {
      return {
        kind: "refused",
        problem: `${by} redirects to where nothing is sent: give the URL that it is`,
      };
    }
    if (redirects === MOST_REDIRECTS) {
      return {
        kind: "refused",
        problem: `it redirects more than ${MOST_REDIRECTS} times: give the last URL`,
      };
    }
    if (status === 303 && method !== "HEAD") method = "GET";
    url = next;
  }
}

function mayFollow(from: URL, to: URL): boolean {
  return to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:");
}

/** Where the headers may go, which may hold secrets. */
function isTrusted(origin: URL, url: URL): boolean {
  const isUpgrade =
    origin.protocol === "http:" && url.protocol === "https:" && origin.hostname === url.hostname;
  return url.origin === origin.origin || isUpgrade;
}

function headersFor(hook: UrlHook, { hasBody, trusted }: { hasBody: boolean; trusted: boolean }) {
  const given = trusted ? hook.headers : {};
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  return {
    ...(!names.has("user-agent") && { "User-Agent": `lazyssh/${version}` }),
    ...(hasBody && !names.has("content-type") && { "Content-Type": "application/json" }),
    ...given,
  };
}

interface Request {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

interface Answer {
  readonly status: number;
  /** "404 (Not Found)". What the server itself says of it might quote the request. */
  readonly words: string;
  readonly location: string | undefined;
}

/** Asked by Node's own client, which is loaded here: `fetch` would bring more than all of this program. */
async function exchange(url: URL, { method, headers, body, signal }: Request): Promise<Answer> {
  const { STATUS_CODES, request: overHttp } = await import("node:http");
  const request = url.protocol === "https:" ? (await import("node:https")).request : overHttp;
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    const over = (error?: unknown) => (answer ? resolve(answer) : reject(error));
    const sent = request(url, { method, headers, signal, agent: false }, (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      const reason = STATUS_CODES[status];
      answer = { status, words: reason ? `${status} (${reason})` : `${status}`, location: answered.location };
      // It is read to its end, because some servers give up on what a client does not wait for. It changes nothing any more.
      response.on("error", () => undefined);
      response.once("close", over);
      response.resume();
    });
    sent.on("error", over);
    sent.end(body);
  });
}

const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it refuses connections",
  ECONNRESET: "it broke the connection off",
  EPIPE: "it broke the connection off",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name cannot be resolved now",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ETIMEDOUT: "it cannot be reached",
};

/** By its code alone: the message of an error may quote what was to be sent. */
function failure(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") return "it could not be asked";
  const known = FAILURES[code];
  if (known !== undefined) return `${known} (${code})`;
  return `${/CERT|SIGNATURE|TLS|SSL|EPROTO/.test(code) ? "no secure connection to it" : "it could not be asked"} (${code})`;
}
