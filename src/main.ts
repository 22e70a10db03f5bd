#!/usr/bin/env node
import { runCli } from "./cli/run.ts";
import { systemClock } from "./util/clock.ts";

/** What the cloud's client still holds open must not keep an ended program. */
const LAST_OUTPUT_MS = 250;

process.exitCode = await runCli(process.argv.slice(2), process);
await systemClock.sleep(LAST_OUTPUT_MS);
process.exit();
