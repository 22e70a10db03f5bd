import { asLazysshError, type ErrorCode } from "../util/errors.ts";
import { OPEN_FAILURE, type OpenFailureCode } from "./protocol.ts";

/** Why a channel was not opened, as the client is told: the text is the only thing that `ssh -J` shows its user. */
export interface Refusal {
  readonly code: ErrorCode;
  /** OpenSSH prints its name before the text. */
  readonly reason: OpenFailureCode;
  /** One printable line of at most 1024 bytes. */
  readonly text: string;
}

const LONGEST_TEXT = 1024;

/** A caught error as a refusal. */
export function refusalOf(error: unknown): Refusal {
  const { code, message } = asLazysshError(error);
  return refusal(code, message);
}

export function refusal(code: ErrorCode, text: string, reason: OpenFailureCode = reasonFor(code)): Refusal {
  return { code, reason, text: printable(text, LONGEST_TEXT) };
}

const REASONS: Partial<Record<ErrorCode, OpenFailureCode>> = {
  UNKNOWN_TARGET: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
  NOT_PERMITTED: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
  SHUTTING_DOWN: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
  BAD_REQUEST: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
  RESOURCE_SHORTAGE: OPEN_FAILURE.RESOURCE_SHORTAGE,
  NO_CAPACITY: OPEN_FAILURE.RESOURCE_SHORTAGE,
  THROTTLED: OPEN_FAILURE.RESOURCE_SHORTAGE,
  BUDGET_REACHED: OPEN_FAILURE.RESOURCE_SHORTAGE,
  LIMIT_REACHED: OPEN_FAILURE.RESOURCE_SHORTAGE,
  ENDED_BY_HAND: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED,
};

function reasonFor(code: ErrorCode): OpenFailureCode {
  return REASONS[code] ?? OPEN_FAILURE.CONNECT_FAILED;
}

/**
 * Text from elsewhere, made fit for a terminal or a log: control and format characters (which could move a cursor or
 * turn the writing direction) and white space become single spaces, and it is cut to so many bytes of UTF-8. Default 255.
 */
export function printable(text: string, maxBytes = 255): string {
  const line = text.replace(/[\p{C}\s]+/gu, " ").trim();
  if (Buffer.byteLength(line) <= maxBytes) return line;
  let cut = Buffer.from(line)
    .subarray(0, maxBytes - 3)
    .toString();
  // A character cut in half reads as U+FFFD.
  if (cut.endsWith("\uFFFD")) cut = cut.slice(0, -1);
  return `${cut}…`;
}
