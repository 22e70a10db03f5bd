import ssh2 from "ssh2";
import { describe, expect, test } from "vitest";
import { generateKeyPair, hostKeyFrom, hostKeyLines } from "../../src/dev/host-key.ts";

describe("generated keys", () => {
  test("are all well-formed, also those that begin with a zero byte", () => {
    // One in some four hundred of ssh2's own is not.
    for (let i = 0; i < 1_500; i++) {
      const pair = generateKeyPair("test");
      const key = ssh2.utils.parseKey(pair.private);
      if (key instanceof Error) throw key;
      const line = `ssh-ed25519 ${key.getPublicSSH().toString("base64")} test`;
      expect(pair.public.trim()).toBe(line);
    }
  }, 60_000);

  test("reach a machine through its user data unchanged", () => {
    const pair = generateKeyPair("host");
    expect(hostKeyFrom(`#cloud-config\n${hostKeyLines(pair)}`).trim()).toBe(pair.private.trim());
  });
});
