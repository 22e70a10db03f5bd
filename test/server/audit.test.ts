import { describe, expect } from "vitest";
import { hasHybridKex } from "../../src/server/hybrid-kex.ts";
import { openDoor } from "../harness/front-door.ts";
import { requires } from "../harness/requires.ts";
import { sshFolder } from "../harness/ssh.ts";
import { openSshd10, sshAudit, startSshd } from "../harness/ssh-audit.ts";

const sshd = openSshd10();
const itWithAudit = requires("ssh-audit");
const itWithSshd = requires("ssh-audit", sshd);

/** The door as somebody would set it up who has both kinds of host keys. */
async function auditDoor() {
  await using folder = await sshFolder();
  const rsa = await folder.key("rsa", "rsa");
  const ed25519 = await folder.key("ed25519");
  const hostKeys = [ed25519, rsa].map(({ privateKey }) => ({ key: privateKey, certificate: undefined }));
  await using door = await openDoor({ config: { hostKeys } });
  return await sshAudit(door.port);
}

describe("ssh-audit", () => {
  itWithAudit("says this about the server", async () => {
    const { version, text } = await auditDoor();
    // Every line that changes is to be looked at; `vitest -u` accepts them.
    const name = `${version}${hasHybridKex ? "-ml-kem" : ""}.txt`;
    await expect(`${text}\n`).toMatchFileSnapshot(`../fixtures/ssh-audit/${name}`);
  });

  itWithSshd(
    "finds nothing to fail, and nothing to warn of that a current OpenSSH does not have",
    async () => {
      const { findings } = await auditDoor();
      expect(findings.filter((finding) => finding.includes("[fail]"))).toEqual([]);
      await using folder = await sshFolder();
      await using server = await startSshd(sshd, folder);
      const theirs = await sshAudit(server.port);
      expect(theirs.text).toContain("SSH-2.0-OpenSSH_");
      expect(theirs.findings.length).toBeGreaterThan(findings.length);
      expect(findings.filter((finding) => !theirs.findings.includes(finding))).toEqual([]);
    },
    60_000,
  );
});
