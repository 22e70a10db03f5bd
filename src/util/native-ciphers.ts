/**
 * Import it before ssh2, for what it does: it keeps ssh2's native ciphers out where they would end the process.
 *
 * A native addon that was compiled with the headers of Node 24.19 or later aborts any Node 24 as soon as one of its objects is
 * collected (https://github.com/nodejs/node/issues/65446), and Node 26 before 26.4 (issue 65262). ssh2 then has Node's own
 * ciphers, as it has where nothing was compiled. And where the native ones are there, it does without the WebAssembly that stands in for one
 * of them, which ssh2 would load all the same.
 */
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";

/** What the newer headers put into an addon. */
const SYMBOL = "RemoveEnvironmentCleanupHook";
const BINDING = "sshcrypto.node";
/** By which ssh2 would choose the order of its ciphers; ours is our own. It does without. */
const UNUSED = "cpufeatures.node";

let left = false;

/** Whether the native ciphers are there, and were left out. Known when ssh2 has been loaded. */
export function nativeCiphersLeftOut(): boolean {
  return left;
}

/** Whether an addon would abort a Node of this version. */
export function isFatal(addon: Buffer, version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const mended = major > 26 || (major === 26 && minor >= 4);
  return !mended && addon.includes(SYMBOL);
}

const load = process.dlopen;
process.dlopen = (module: object, file: string, ...flags: []): void => {
  if (file.endsWith(UNUSED)) throw new Error(`${file} is not needed`);
  if (file.endsWith(BINDING) && isFatal(readFileSync(file), process.versions.node)) {
    left = true;
    throw new Error(`${file} was compiled with headers that make it abort this Node`);
  }
  load.call(process, module, file, ...flags);
  if (file.endsWith(BINDING)) leaveOut(join(file, "../../../poly1305.js"));
};

/** What ssh2 asks of its WebAssembly at the start; later it has the native cipher. */
const NOTHING = { _malloc: () => 0, cwrap: () => undefined };

function leaveOut(path: string): void {
  const { cache } = createRequire(import.meta.url);
  const exports = async () => NOTHING;
  cache[path] ??= Object.assign(new Module(path), { filename: path, loaded: true, exports });
}
