// Removes the folder named by the first argument, so that a build never holds files of an earlier layout.
import { rmSync } from "node:fs";

rmSync(process.argv[2], { recursive: true, force: true });
