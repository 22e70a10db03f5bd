import type { PseudoTtyInfo, ServerChannel, Session } from "ssh2";
import { quote } from "../../util/shell.ts";
import { environment, interactiveShell } from "./environment.ts";
import type { GuestConfig } from "./messages.ts";
import type { ProcessGroups } from "./processes.ts";
import { type Command, type Running, runCommand } from "./run.ts";
import { serveSftp } from "./sftp.ts";
import { hasScript, lineDiscipline, SCRIPT, scriptArgs } from "./terminal.ts";

export interface SessionContext {
  readonly config: GuestConfig;
  readonly user: string;
  /** `client-address client-port server-address server-port`, as sshd has it. */
  readonly connection: string;
  readonly groups: ProcessGroups;
}

/** One session channel (RFC 4254 §6): what is asked for it, and the one program that then runs on it. */
export function serveSession(session: Session, context: SessionContext): void {
  const sent: Record<string, string> = {};
  let terminal: PseudoTtyInfo | undefined;
  let running: Running | undefined;

  session.on("env", (accept, _reject, { key, val }) => {
    sent[key] = val;
    accept?.();
  });
  session.on("pty", (accept, _reject, info) => {
    terminal = info;
    accept?.();
  });
  session.on("window-change", (accept) => accept?.());
  session.on("signal", (accept, reject, { name }) => {
    if (running === undefined || !isSignal(`SIG${name}`)) {
      reject?.();
      return;
    }
    running.signal(`SIG${name}` as NodeJS.Signals);
    accept?.();
  });

  const run = (channel: ServerChannel, text: string | undefined): void => {
    // ssh2 reports a channel that the client has already given up as undefined.
    if (channel !== undefined)
      running = runCommand(channel, makeCommand(context, sent, terminal, text), context.groups);
  };
  session.on("exec", (accept, _reject, { command }) => run(accept(), command));
  session.on("shell", (accept) => run(accept(), undefined));
  session.on("sftp", (accept) => serveSftp(accept(), context.config.home));
}

function isSignal(name: string): name is NodeJS.Signals {
  return ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM"].includes(
    name,
  );
}

/** @param text the command asked for, or undefined for a login shell. */
function makeCommand(
  context: SessionContext,
  sent: Readonly<Record<string, string>>,
  terminal: PseudoTtyInfo | undefined,
  text: string | undefined,
): Command {
  const { home } = context.config;
  const env = {
    ...sent,
    ...environment(context.config, context.user),
    SSH_CONNECTION: context.connection,
    ...(terminal && { TERM: terminal.term || "dumb" }),
  };
  const shell = interactiveShell();
  if (terminal === undefined) {
    // With no terminal a shell reads its commands from the client as they come.
    return { file: "/bin/sh", args: text === undefined ? [] : ["-c", text], cwd: home, env };
  }
  if (hasScript()) {
    const wanted = text ?? `exec ${quote([shell])} -i`;
    // `script` starts what $SHELL names; the login shell's own name is put back for what runs inside.
    const inside = `SHELL=${quote([shell])}; export SHELL; ${wanted}`;
    return {
      file: SCRIPT,
      args: scriptArgs(inside, terminal),
      cwd: home,
      env: { ...env, SHELL: "/bin/sh" },
    };
  }
  const args = text === undefined ? ["-i"] : ["-c", text];
  return { file: "/bin/sh", args, cwd: home, env, discipline: lineDiscipline };
}
