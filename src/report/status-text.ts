import type { LeaseStatusLine, MachineStatus } from "../targets/by-hand.ts";
import { dollars, machineCost, roughly, volumePrice } from "./quantities.ts";
import type { ServerStatus, TargetReport } from "./status.ts";
import { whoText } from "./who.ts";

/** What `lazyssh status` shows to people. */
export function renderStatus({ server, targets }: ServerStatus, now: number): string {
  const width = Math.max(...targets.map(({ name }) => name.length), 0);
  const priced = targets.some(({ volumes }) => volumes?.some((volume) => volumePrice(volume) !== undefined));
  return [
    ...renderServer(server, now),
    ...targets.flatMap((target) => ["", ...renderTarget(target, width, now)]),
    ...(priced ? ["", "Prices of volumes are what AWS lists for us-east-1."] : []),
    "",
  ].join("\n");
}

function renderServer({ version, since, place }: ServerStatus["server"], now: number): string[] {
  const age = roughly(now - since);
  if (!place) return [`lazyssh ${version}, for ${age}`];
  const { pid, listen, config, stateDir } = place;
  return [
    `lazyssh ${version}, process ${pid}, for ${age}, listens on ${listen}`,
    `config ${config}, state directory ${stateDir}`,
  ];
}

function renderTarget(target: TargetReport, width: number, now: number): string[] {
  const { name, type, summary } = target;
  const title = `${name.padEnd(width)}  ${summary === undefined ? type : `${type}, ${summary}`}`;
  if (summary === undefined) return [title];
  const machines =
    target.machines.length === 0
      ? [row("machine", "none")]
      : target.machines.flatMap((machine) => renderMachine(machine, target, now));
  return [title, ...machines, ...renderVolumes(target), row("today", today(target))];
}

function renderMachine(
  machine: MachineStatus,
  { name, hourlyPrice }: Pick<TargetReport, "name" | "hourlyPrice">,
  now: number,
): string[] {
  const { state, since, startedAt, host, unfit, waitingFor } = machine;
  const age = startedAt === undefined ? undefined : now - startedAt;
  const cost = age === undefined ? undefined : machineCost(age, hourlyPrice);
  const facts = [
    `${machine.target === name ? "" : `${machine.target}: `}${machine.machine ?? "no id yet"}  ${state} for ${roughly(now - since)}`,
    host === undefined ? "" : `at ${host}`,
    age === undefined ? "" : `ordered ${roughly(age)} ago`,
    cost === undefined ? "" : `${dollars(cost)} so far`,
  ];
  return [
    row("machine", join(facts)),
    ...(waitingFor === undefined ? [] : [row("", `waits for: ${waitingFor}`)]),
    ...(unfit === undefined ? [] : [row("", `takes no new connections: ${unfit}`)]),
    ...renderLeases(machine.leases, now),
  ];
}

/** One line for each client connection, however many channels it has. */
function renderLeases(leases: readonly LeaseStatusLine[], now: number): string[] {
  const groups = new Map<string, LeaseStatusLine[]>();
  for (const lease of leases) {
    const key = `${lease.kind} ${lease.connection} ${lease.status}`;
    groups.set(key, [...(groups.get(key) ?? []), lease]);
  }
  return [...groups.values()].map((group) => {
    const [first] = group as [LeaseStatusLine];
    const time = roughly(now - Math.min(...group.map(({ since }) => since)));
    const channels = group.length === 1 ? "" : `, ${group.length} channels`;
    const who = whoText(first);
    if (first.kind === "by hand")
      return row(
        "",
        `${first.status === "held" ? "kept" : "started"} by hand${who && `, by ${who},`} for ${time}`,
      );
    return row("", `${first.status === "held" ? "used" : "awaited"} by ${who} for ${time}${channels}`);
  });
}

function renderVolumes({ volumes, volumesProblem }: TargetReport): string[] {
  if (volumesProblem !== undefined) return [row("volumes", `not known: ${volumesProblem}`)];
  return (volumes ?? []).map((volume) => {
    const { id, state, sizeGiB, type, holders } = volume;
    const price = volumePrice(volume);
    const facts = [
      `${id}  ${state}${holders.length === 0 ? "" : ` by ${holders.join(", ")}`}`,
      [sizeGiB === undefined ? "" : `${sizeGiB} GiB`, type ?? ""].filter(Boolean).join(" "),
      price === undefined ? "" : `${dollars(price)} a month`,
    ];
    return row("volume", join(facts));
  });
}

function today({ usedTodayMs, budgetMsPerDay, hourlyPrice }: TargetReport): string {
  const cost = machineCost(usedTodayMs, hourlyPrice);
  return join([
    `${roughly(usedTodayMs)} of machine time`,
    budgetMsPerDay === undefined ? "" : `the budget is ${roughly(budgetMsPerDay)}`,
    cost === undefined ? "" : dollars(cost),
  ]);
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(8)} ${text}`;
}

function join(facts: readonly string[]): string {
  return facts.filter(Boolean).join(", ");
}
