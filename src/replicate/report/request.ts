import type { Hook } from "../../config/replicate.ts";
import type { Clock } from "../../util/clock.ts";
import { deadline } from "../../util/deadline.ts";
import { backoffMs } from "../../util/retry.ts";

const TRIES = 3;
const TRY_MS = 10_000;

type UrlHook = Extract<Hook, { kind: "url" }>;

interface RequestOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface Failure {
  readonly why: string;
  /** It may go better the next time. */
  readonly retry: boolean;
}

/**
 * Up to three tries of 10 s, with a pause after what may pass: no connection, 5xx, 429. Answers with what went wrong at last, undefined
 * for nothing; rejects when the signal aborts. Words of others are not passed on, as they may hold the URL or a header.
 */
export async function request(
  hook: UrlHook,
  body: string,
  { clock, signal }: RequestOptions,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const failure = await once(hook, body, { clock, signal });
    signal.throwIfAborted();
    if (failure === undefined) return undefined;
    if (!failure.retry) return failure.why;
    if (attempt === TRIES) return `${failure.why}, and was tried ${TRIES} times`;
    await clock.sleep(backoffMs(attempt), signal);
  }
}

async function once(
  { url, method, headers }: UrlHook,
  body: string,
  { clock, signal }: RequestOptions,
): Promise<Failure | undefined> {
  using limit = deadline(clock, TRY_MS, () => "late", signal);
  try {
    const isBare = ["GET", "HEAD"].includes(method.toUpperCase());
    const sent = new Headers(isBare ? {} : { "content-type": "application/json" });
    const address = new URL(url);
    if (address.username !== "" || address.password !== "") {
      sent.set("authorization", basic(address));
      address.username = address.password = "";
    }
    for (const [name, value] of Object.entries(headers)) sent.set(name, value);
    const response = await fetch(address, {
      method,
      headers: sent,
      // What is secret for one place is not for where it may point to.
      redirect: "manual",
      signal: limit.signal,
      ...(isBare ? {} : { body }),
    });
    const { status } = response;
    // Nothing in it is of use, and the connection is free again.
    await response.body?.cancel().catch(() => undefined);
    if (status >= 200 && status < 300) return undefined;
    const hint =
      status >= 300 && status < 400 ? ": redirects are not followed, give the URL they lead to" : "";
    return { why: `answered with status ${status}${hint}`, retry: status >= 500 || status === 429 };
  } catch (error) {
    if (limit.signal.aborted) return { why: "did not answer within 10 s", retry: true };
    const code = codeOf(error);
    if (code === undefined) {
      return { why: "could not be asked: URL, method or headers are not valid", retry: false };
    }
    return { why: `could not be reached: ${code}`, retry: true };
  }
}

function basic({ username, password }: URL): string {
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

/** Of what the network, TLS or the HTTP client say; undefined for a request that cannot even be made. */
function codeOf(error: unknown): string | undefined {
  const cause = (error as { cause?: { code?: unknown; errors?: { code?: unknown }[] } } | undefined)?.cause;
  const code = cause?.code ?? cause?.errors?.[0]?.code;
  if (typeof code === "string") return code;
  return cause === undefined ? undefined : "the connection failed";
}
