import type { EventStream } from "../../observe/events.ts";
import { type Outcome, startedOutcome, stoppedOutcome } from "../../report/outcome.ts";
import { renderOverview } from "../../report/overview.ts";
import { reportTargets } from "../../report/status.ts";
import { statusToJson } from "../../report/status-json.ts";
import { renderStatus } from "../../report/status-text.ts";
import { whoText } from "../../report/who.ts";
import type { Controls, TargetStatus } from "../../targets/by-hand.ts";
import type { Tenant } from "../../targets/lease.ts";
import type { Clock } from "../../util/clock.ts";
import { asLazysshError, LazysshError } from "../../util/errors.ts";
import { version } from "../../util/version.ts";
import { shown } from "../boot.ts";
import type { Identity } from "../identity.ts";
import { printable } from "../refusal.ts";
import { type Command, parseCommand } from "./command-line.ts";
import { helpLines } from "./help.ts";
import type { SessionIo } from "./session.ts";

export interface RunOptions {
  readonly controls: Controls;
  readonly identity: Identity;
  readonly tenant: Tenant;
  readonly events: EventStream;
  readonly clock: Clock;
  /** Since when the server serves, milliseconds since the epoch. */
  readonly serverSince: number;
}

/** Exit statuses, as those of the program itself; the last is what a shell makes of Ctrl-C. */
const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Bytes of what is said of an error: names that a client made up may be in it. */
const LONGEST_TEXT = 1024;

/** How the commands are called from where they are given. */
const CALLED = "ssh lazyssh";

/**
 * Does what a session asks for, within what its user may, and answers the exit status. Never rejects.
 *
 * @param line Undefined: a shell was asked for, and gets an overview instead.
 */
export async function runSession(
  line: string | undefined,
  options: RunOptions,
  io: SessionIo,
): Promise<number> {
  const { commands } = options.identity.permissions;
  const command = parseCommand(line ?? "");
  if ("problem" in command) {
    io.err([`lazyssh: ${printable(command.problem, LONGEST_TEXT)}`, ...helpLines(commands)].join("\n"));
    return EXIT.usage;
  }
  try {
    return await perform(await permitted(command, options), options, io);
  } catch (cause) {
    if (io.signal.aborted) {
      io.err(`lazyssh: ${String(io.signal.reason)}, and taken back`);
      return EXIT.interrupted;
    }
    const { code, message } = asLazysshError(cause);
    io.err(`lazyssh: ${printable(message, LONGEST_TEXT)}`);
    return code === "UNKNOWN_TARGET" ? EXIT.usage : EXIT.failed;
  }
}

/** @throws LazysshError `NOT_PERMITTED`. */
async function permitted(command: Command, { identity, tenant, controls }: RunOptions): Promise<Command> {
  const { user, permissions } = identity;
  if (command.do === "help") return command;
  if (command.do === "overview") {
    return permissions.commands.includes("status") ? command : { do: "help" };
  }
  if (!permissions.commands.includes(command.do)) {
    const may = [...permissions.commands, "help"].join(", ");
    throw new LazysshError("NOT_PERMITTED", `${user} may not have "${command.do}" done here, only: ${may}`);
  }
  if ("target" in command && tenant.user?.sees(command.target) === false) {
    const names = (await seen(controls, tenant)).map(({ name }) => name);
    const those = names.join(", ") || "there are none";
    throw new LazysshError(
      "NOT_PERMITTED",
      `"${printable(command.target)}" is not among the targets that ${user} may reach: ${those}`,
    );
  }
  return command;
}

async function perform(command: Command, options: RunOptions, io: SessionIo): Promise<number> {
  const { controls, tenant, identity, clock, events } = options;
  const now = clock.now();
  const by = { user: identity.user, connection: tenant.connection };
  switch (command.do) {
    case "help":
      return tell(io, { out: helpLines(identity.permissions.commands), err: [], done: true });
    case "overview":
      return tell(io, { out: await overview(options), err: [], done: true });
    case "status": {
      events.emit({ type: "control", do: "status", ...by });
      const machines: Pick<Controls, "status" | "volumes"> = {
        status: () => seen(controls, tenant),
        volumes: (target, signal) => controls.volumes(target, signal),
      };
      const { volumes } = command;
      const targets = await reportTargets({ machines, clock, volumes, signal: io.signal });
      const status = { server: { version, since: options.serverSince }, targets };
      const text = command.json
        ? JSON.stringify(statusToJson(status, now), undefined, 2)
        : renderStatus(status, now).trimEnd();
      return tell(io, { out: [text], err: [], done: true });
    }
    case "start": {
      const { target, forMs } = command;
      events.emit({ type: "control", do: "start", target: printable(target), forMs, ...by });
      await shown({ target, clock, say: io.err }, (told) =>
        controls.hold(target, { forMs, lift: false, signal: io.signal, by: { ...tenant, told } }),
      );
      return tell(io, startedOutcome(target, forMs, CALLED));
    }
    case "stop": {
      const { target, cut } = command;
      if (cut) await assertOwn(target, options);
      events.emit({ type: "control", do: "stop", target: printable(target), cut, ...by });
      return tell(io, stoppedOutcome(target, await controls.drop(target, { cut }), now, CALLED));
    }
  }
}

/** @throws LazysshError `NOT_PERMITTED` when somebody else's connections would be ended: they may be in the middle of a backup. */
async function assertOwn(target: string, { controls, identity }: RunOptions): Promise<void> {
  const all = await controls.status();
  const machines = all.flatMap((one) => one.machines.filter((machine) => machine.target === target));
  const others = machines.flatMap(({ leases }) =>
    leases.filter(({ kind, user }) => kind === "channel" && user !== identity.user),
  );
  if (others.length === 0) return;
  const who = [...new Set(others.map(whoText))].join(", ");
  throw new LazysshError(
    "NOT_PERMITTED",
    `${printable(target)}: it is used by ${who}, too, whose connections may be ended at the jump host itself only: lazyssh stop --cut`,
  );
}

function tell(io: SessionIo, { out, err, done }: Outcome): number {
  if (out.length > 0) io.out(out.join("\n"));
  if (err.length > 0) io.err(err.join("\n"));
  return done ? EXIT.ok : EXIT.failed;
}

async function overview({ controls, tenant, clock }: RunOptions): Promise<string[]> {
  const targets = await seen(controls, tenant);
  const table = targets.length === 0 ? ["No target is open to you."] : renderOverview(targets, clock.now());
  return [
    ...table,
    "",
    "This is a jump host, there is no shell: use ssh -J lazyssh TARGET. More is told by ssh lazyssh help.",
  ];
}

/** What there is, as far as the user may know of it. */
async function seen(controls: Pick<Controls, "status">, { user }: Tenant): Promise<readonly TargetStatus[]> {
  const sees = (name: string) => user?.sees(name) ?? true;
  const all = await controls.status();
  return all.flatMap((target) => {
    const machines = target.machines.filter((machine) => sees(machine.target));
    // Of a family, the user may know some names only.
    return sees(target.name) || machines.length > 0 ? [{ ...target, machines }] : [];
  });
}
