import { buildApplication, buildRouteMap, run, type StricliProcess } from "@stricli/core";
import { systemClock } from "../util/clock.ts";
import { version } from "../util/version.ts";
import { normalizeArguments } from "./args.ts";
import { checkCommand } from "./check.ts";
import { type CliContext, exitCodes } from "./context.ts";
import { demoCommand } from "./demo.ts";
import { devCommand } from "./dev.ts";
import { replicateRoutes } from "./replicate.ts";
import { serveCommand } from "./serve.ts";
import { startCommand } from "./start.ts";
import { statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { sweepCommand } from "./sweep.ts";

const routes = {
  serve: serveCommand,
  status: statusCommand,
  start: startCommand,
  stop: stopCommand,
  check: checkCommand,
  sweep: sweepCommand,
  replicate: replicateRoutes,
  dev: devCommand,
  demo: demoCommand,
};

const application = buildApplication(
  buildRouteMap({
    routes,
    docs: {
      brief: "An SSH jump host that starts a machine when someone connects, and stops it when nobody does",
      fullDescription:
        "An SSH jump host that starts a machine when someone connects through it, and makes it go away when\n" +
        "nobody does. Without a command it serves: lazyssh -config FILE is lazyssh serve --config FILE.\n" +
        "Exit codes: 0 ok, 1 failed, 2 usage or config.",
    },
  }),
  {
    name: "lazyssh",
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: "allow-kebab-for-camel" },
    documentation: { caseStyle: "convert-camel-to-kebab", useAliasInUsageLine: true },
  },
);

/** Runs the program as typed and answers its exit code. */
export async function runCli(args: readonly string[], world: NodeJS.Process): Promise<number> {
  const context: CliContext = {
    process: { stdout: world.stdout, stderr: world.stderr, env: world.env } as StricliProcess,
    stdout: world.stdout,
    stderr: world.stderr,
    env: world.env,
    signals: world,
    clock: systemClock,
  };
  await run(application, normalizeArguments(args, Object.keys(routes)), context);
  const code = Number(context.process.exitCode ?? exitCodes.ok);
  // The library's own codes for arguments it cannot use are negative.
  return code < 0 ? exitCodes.usage : code;
}
