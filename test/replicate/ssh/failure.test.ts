import { describe, expect, it } from "vitest";
import { connectionFailed, sshError } from "../../../src/replicate/ssh/failure.ts";

describe("sshError", () => {
  it.each([
    ["ssh: Could not resolve hostname nope: Name or service not known", "unresolved", "-J"],
    ["ssh: connect to host 127.0.0.1 port 1: Connection refused", "refused", "does it run"],
    ["ssh: connect to host 192.0.2.1 port 22: Connection timed out", "timeout", "timed out"],
    ["root@h: Permission denied (publickey).", "denied", "key without passphrase"],
    [
      "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.",
      "host-key",
      "known_hosts",
    ],
    ["command-line: line 0: Bad configuration option: nope", "config", "correct the ssh config"],
    ["ssh: connect to host h port 22: No route to host", "unreachable", "No route"],
    [
      "channel 0: open failed: connect failed: archiver: no capacity\nstdio forwarding failed\nConnection closed by UNKNOWN port 65535",
      "jump",
      "archiver: no capacity",
    ],
    ["", "other", "said nothing"],
  ])("%j is %s", (stderr, kind, words) => {
    const error = sshError("archiver", stderr, 255);
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(words);
    expect(error.message).toMatch(/^cannot reach archiver by ssh: /);
  });

  it("is worth another attempt only when it may pass by itself", () => {
    expect(sshError("h", "ssh: connect to host h port 1: Connection refused", 255).retryable).toBe(true);
    expect(sshError("h", "Host key verification failed.", 255).retryable).toBe(false);
  });
});

describe("connectionFailed", () => {
  it.each([
    [255, "", true],
    [255, "Connection closed by UNKNOWN port 65535\n", true],
    [255, "client_loop: send disconnect: Broken pipe\n", true],
    [255, "cannot resume send: resume token is corrupt (invalid format)\n", false],
    [255, "internal error: /usr/lib/zfs/pyzfs.py not found\n", false],
    [1, "Connection closed by UNKNOWN port 65535\n", false],
    [undefined, "", false],
  ])("%s with %j: %s", (status, stderr, failed) => {
    expect(connectionFailed({ status, stderr })).toBe(failed);
  });
});
