import { LazysshError } from "../../util/errors.ts";
import { readFailure, slimCause } from "./failure.ts";
import { JUDGES } from "./judges.ts";
import { type FailedCall, type Judge, refuse, retry, type Verdict } from "./verdict.ts";

/**
 * The error of a failed EC2 call in our words. Total: any thrown value has an answer. `retryable` is true whenever
 * the call may have had its effect without our seeing it, so that nobody takes "failed" for "not made".
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export function ec2Error(thrown: unknown, call: FailedCall): LazysshError {
  if (thrown instanceof LazysshError) return thrown;
  const failure = readFailure(thrown, call.redact);
  const { code, retryable, advice } =
    byName(failure, call) ?? bySocket(failure, call) ?? byStatus(failure, call) ?? UNKNOWN;
  const named = failure.name === "" || failure.message.includes(failure.name);
  const said = named ? failure.message : `${failure.name}: ${failure.message}`;
  const what = `target ${call.target.name}: ${call.action} failed ${call.place}`;
  return new LazysshError(code, advice ? `${what}: ${advice} (${said})` : `${what}: ${said}`, {
    cause: slimCause(failure),
    retryable,
  });
}

/** The code that EC2 refused with, for who must tell apart what is one code for all others. */
export function refusalOf(error: unknown): string | undefined {
  return error instanceof LazysshError && error.cause instanceof Error ? error.cause.name : undefined;
}

/** Nobody knows whether it had an effect. */
const UNKNOWN: Verdict = { code: "INTERNAL", retryable: true };

const byName: Judge = (failure, call) => {
  // The SDK has no class for these: it throws a plain Error.
  if (failure.name === "" && /^Region is missing/.test(failure.message)) {
    return refuse(
      "BAD_REQUEST",
      "no region is known; set region in the target, AWS_REGION, or one in the profile",
    );
  }
  if (failure.name === "" && /^Region not accepted/.test(failure.message)) {
    return refuse("BAD_REQUEST", "that is no region; check region");
  }
  return JUDGES.get(failure.name)?.(failure, call);
};

const CERTIFICATE =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;
const SOCKET =
  /^(E[A-Z_]*(CONN|ADDR|NET|HOST)[A-Z]*|EAI_[A-Z]+|ENOTFOUND|EPIPE|EPROTO|ETIMEDOUT|ERR_STREAM_[A-Z_]+|ERR_SSL_[A-Z_]+)$/;

const bySocket: Judge = ({ name, systemCode = "", status }) => {
  if (systemCode === "ERR_INVALID_URL")
    return refuse("BAD_REQUEST", "the endpoint is not a URL; check endpoint");
  if (CERTIFICATE.test(systemCode)) {
    return refuse(
      "CLOUD_UNREACHABLE",
      "the certificate of the cloud cannot be trusted; see NODE_EXTRA_CA_CERTS",
    );
  }
  if (name === "TimeoutError" || systemCode === "ETIMEDOUT" || status === 408) {
    return retry("CLOUD_UNREACHABLE", "no answer in time");
  }
  if (systemCode === "ENOTFOUND") {
    return retry("CLOUD_UNREACHABLE", "no such host; check region and endpoint, and the network");
  }
  if (SOCKET.test(systemCode)) return retry("CLOUD_UNREACHABLE", "no connection to the cloud, or it broke");
  // The answer is not HTTP.
  if (systemCode.startsWith("HPE_"))
    return retry("CLOUD_ERROR", "what answers there is not EC2; check endpoint");
  return undefined;
};

const byStatus: Judge = ({ status }) => {
  if (status === undefined) return undefined;
  if (status === 429) return retry("THROTTLED", "the cloud limits how often it may be asked");
  if (status >= 500) return retry("CLOUD_ERROR", `the cloud has a fault of its own, HTTP ${status}`);
  if (status >= 400) return refuse("BAD_REQUEST");
  if (status >= 300)
    return refuse("BAD_REQUEST", `the endpoint redirects, HTTP ${status}; check endpoint and region`);
  // It succeeded, and we could not read what it said.
  return retry("CLOUD_ERROR", "the answer is not one of EC2; check endpoint");
};
