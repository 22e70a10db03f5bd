import { describe, expect, test } from "vitest";
import type { Identity, Permissions } from "../../src/server/identity.ts";
import { objectionTo, sees } from "../../src/server/permissions.ts";

const ALL: Permissions = {
  forwarding: true,
  targets: undefined,
  permitOpen: undefined,
  commands: [],
  command: undefined,
  maxMachines: undefined,
};
const certificate = { id: "id", serial: "1", authority: "SHA256:y" };
const alice = (permissions: Partial<Permissions>, others: Partial<Identity> = {}): Identity => ({
  user: "alice",
  key: "SHA256:x",
  certificate: undefined,
  permissions: { ...ALL, ...permissions },
  ...others,
});
const archiver = { host: "archiver", port: 22 };

describe("who may reach what", () => {
  test.each<readonly [string, Identity, string, number | undefined, string | undefined]>([
    ["anything", alice({}), "archiver", 22, undefined],
    [
      "no connections",
      alice({ forwarding: false }),
      "archiver",
      22,
      "your key may not open connections (no-port-forwarding)",
    ],
    [
      "no connections by certificate",
      alice({ forwarding: false }, { certificate }),
      "archiver",
      22,
      "your certificate may not open connections (it lacks permit-port-forwarding, or its authority has no-port-forwarding)",
    ],
    [
      "no machine without connections",
      alice({ forwarding: false }),
      "archiver",
      undefined,
      "your key may not open connections (no-port-forwarding)",
    ],
    ["a name", alice({ targets: ["archiver"] }), "archiver", 22, undefined],
    ["a pattern", alice({ targets: ["web-*", "arch?ver"] }), "archiver", 22, undefined],
    [
      "another",
      alice({ targets: ["web-*", "db"] }),
      "archiver",
      22,
      '"archiver" is not among the targets that alice may reach: web-*, db',
    ],
    [
      "a part of the name",
      alice({ targets: ["arch"] }),
      "archiver",
      22,
      '"archiver" is not among the targets that alice may reach: arch',
    ],
    [
      "upper case",
      alice({ targets: ["Archiver"] }),
      "archiver",
      22,
      '"archiver" is not among the targets that alice may reach: Archiver',
    ],
    [
      "nothing",
      alice({ targets: [] }),
      "archiver",
      22,
      '"archiver" is not among the targets that alice may reach: there are none',
    ],
    [
      "no machine of another",
      alice({ targets: ["db"] }),
      "archiver",
      undefined,
      '"archiver" is not among the targets that alice may reach: db',
    ],
    ["the port", alice({ permitOpen: [archiver] }), "archiver", 22, undefined],
    [
      "another port",
      alice({ permitOpen: [archiver] }),
      "archiver",
      23,
      "your key may not reach archiver:23, only archiver:22 (permitopen)",
    ],
    [
      "another target",
      alice({ permitOpen: [archiver] }),
      "db",
      22,
      "your key may not reach db:22, only archiver:22 (permitopen)",
    ],
    ["one of two", alice({ permitOpen: [archiver, { host: "db", port: undefined }] }), "db", 5432, undefined],
    [
      "neither of two",
      alice({ permitOpen: [archiver, { host: "db", port: undefined }] }),
      "db2",
      22,
      "your key may not reach db2:22, only archiver:22, db:* (permitopen)",
    ],
    ["any port", alice({ permitOpen: [{ host: "archiver", port: undefined }] }), "archiver", 1, undefined],
    ["any target", alice({ permitOpen: [{ host: "*", port: 22 }] }), "archiver", 22, undefined],
    [
      "any target, another port",
      alice({ permitOpen: [{ host: "*", port: 22 }] }),
      "archiver",
      23,
      "your key may not reach archiver:23, only *:22 (permitopen)",
    ],
    [
      "no pattern in permitopen",
      alice({ permitOpen: [{ host: "arch*", port: 22 }] }),
      "archiver",
      22,
      "your key may not reach archiver:22, only arch*:22 (permitopen)",
    ],
    [
      "nothing to open",
      alice({ permitOpen: [] }),
      "archiver",
      22,
      "your key may not reach archiver:22, only nothing (permitopen)",
    ],
    ["the machine of the port", alice({ permitOpen: [archiver] }), "archiver", undefined, undefined],
    [
      "no machine without a port",
      alice({ permitOpen: [archiver] }),
      "db",
      undefined,
      "your key may not reach db, only archiver:22 (permitopen)",
    ],
    [
      "both must let in",
      alice({ targets: ["db"], permitOpen: [archiver] }),
      "archiver",
      22,
      '"archiver" is not among the targets that alice may reach: db',
    ],
  ])("%s", (_, identity, target, port, expected) => {
    expect(objectionTo(identity, { target, port })).toBe(expected);
  });

  test.each<readonly [Partial<Permissions>, string, boolean]>([
    [{}, "archiver", true],
    [{ targets: ["arch*"] }, "archiver", true],
    [{ targets: ["arch*"] }, "db", false],
    [{ targets: [] }, "archiver", false],
    [{ permitOpen: [archiver] }, "archiver", true],
    [{ permitOpen: [archiver] }, "db", false],
    [{ targets: ["db"], permitOpen: [archiver] }, "archiver", false],
    // Its state may be looked at, though no connection may be opened.
    [{ forwarding: false }, "archiver", true],
  ])("with %j sees %j: %j", (permissions, target, expected) => {
    expect(sees({ ...ALL, ...permissions }, target)).toBe(expected);
  });
});
