#!/usr/bin/env node
import { startIsOver } from "./util/lean-start.ts";
import "./util/native-ciphers.ts";
import { runCli } from "./cli/run.ts";
import { systemClock } from "./util/clock.ts";

/** What the cloud's client still holds open must not keep an ended program. */
const LAST_OUTPUT_MS = 250;
/** For a server to listen. */
const START_MS = 1_000;

// Who read what we print has gone (`| head`, a log collector that restarts): no reason to leave machines alone.
for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);

void systemClock.sleep(START_MS).then(startIsOver);
process.exitCode = await runCli(process.argv.slice(2), process);
// Not awaited: a line that waits while nothing else is left to do is an error to Node 22 and later (exit code 13).
void systemClock.sleep(LAST_OUTPUT_MS).then(() => process.exit());
