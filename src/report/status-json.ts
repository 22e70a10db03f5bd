import type { MachineStatus } from "../targets/by-hand.ts";
import { machineCost, volumePrice } from "./quantities.ts";
import type { ServerStatus, TargetReport } from "./status.ts";

/** What `lazyssh status --json` prints; docs/operation.md describes it. Keys are only ever added. */
export function statusToJson({ server, targets }: ServerStatus, now: number) {
  return {
    format_version: "1.0",
    at: time(now),
    server: {
      version: server.version,
      pid: server.place?.pid ?? null,
      since: time(server.since),
      listen: server.place?.listen ?? null,
      config: server.place?.config ?? null,
      state_dir: server.place?.stateDir ?? null,
    },
    targets: targets.map((target) => targetToJson(target, now)),
  };
}

function targetToJson(target: TargetReport, now: number) {
  const { name, type, summary, hourlyPrice, usedTodayMs, budgetMsPerDay, volumes } = target;
  return {
    name,
    type,
    summary: summary ?? null,
    hourly_price: hourlyPrice ?? null,
    machines: target.machines.map((machine) => machineToJson(machine, hourlyPrice, now)),
    today: {
      machine_seconds: seconds(usedTodayMs),
      budget_seconds: budgetMsPerDay === undefined ? null : seconds(budgetMsPerDay),
      about_usd: cents(machineCost(usedTodayMs, hourlyPrice)),
    },
    volumes:
      volumes?.map((volume) => ({
        id: volume.id,
        state: volume.state,
        size_gib: volume.sizeGiB ?? null,
        type: volume.type ?? null,
        holders: volume.holders,
        about_usd_per_month: cents(volumePrice(volume)),
      })) ?? null,
    volumes_problem: target.volumesProblem ?? null,
  };
}

function machineToJson(machine: MachineStatus, hourlyPrice: number | undefined, now: number) {
  const { startedAt } = machine;
  return {
    target: machine.target,
    state: machine.state,
    since: time(machine.since),
    machine: machine.machine ?? null,
    launch: machine.launch ?? null,
    host: machine.host ?? null,
    started_at: startedAt === undefined ? null : time(startedAt),
    about_usd: startedAt === undefined ? null : cents(machineCost(now - startedAt, hourlyPrice)),
    waiting_for: machine.waitingFor ?? null,
    unfit: machine.unfit ?? null,
    leases: machine.leases.map(({ kind, user, client, connection, since, status }) => ({
      kind: kind === "by hand" ? "by_hand" : kind,
      user: user ?? null,
      client: client || null,
      connection: connection || null,
      since: time(since),
      status,
    })),
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): number {
  return Math.round(ms / 1_000);
}

/** To a hundredth of a cent; more is not known. */
function cents(amount: number | undefined): number | null {
  return amount === undefined ? null : Number(amount.toFixed(4));
}
