import { cloudInitType, isMime, type Merge, multipart, withPart } from "./mime.ts";
import { nixWithModule } from "./nix.ts";
import { type DeadMan, EXPIRES_TAG, startScript, watchScript } from "./script.ts";

const SHELL = /^#![ \t]*(?:\S*\/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*\/)?)?(?:sh|bash|dash|ash)(?:[ \t\r]|$)/;

/**
 * Puts into user data what powers the guest off when nobody needs it, so that no machine outlives the jump host for long. What
 * is there is contained in the result unchanged, and goes on to work as it did. User data that names the tag by itself has been
 * given the switch by hand, and is left alone.
 */
export function mergeDeadMan(userData: string | undefined, deadMan: DeadMan): Merge {
  const script = startScript(deadMan);
  if (userData === undefined || userData.trim() === "") return { text: `#!/bin/sh\n${script}` };
  if (userData.includes(EXPIRES_TAG)) return { text: userData };
  const [first = ""] = userData.split("\n", 1);
  // Before the rest of the script: that may end early, or hang.
  if (SHELL.test(first)) return { text: `${first}\n${script}${userData.slice(first.length + 1)}` };
  if (isMime(userData)) return withPart(userData, script);
  const type = cloudInitType(userData);
  if (type !== undefined) return { text: multipart(userData, type, script) };
  const nix = nixWithModule(userData, watchScript(deadMan));
  if (nix !== undefined) return { text: nix };
  return { problem: "it is neither a script, nor for cloud-init, nor a Nix expression" };
}
