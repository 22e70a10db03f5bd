import type { CommandTarget } from "../../config/types.ts";
import { systemClock } from "../../util/clock.ts";
import { LazysshError } from "../../util/errors.ts";
import type { Machine, Notes, Provider } from "../provider.ts";
import { begin } from "./begin.ts";
import { end } from "./end.ts";
import { type LookContext, lastKnown, look, unknownMachine } from "./look.ts";
import { idOf } from "./order.ts";
import { preflight } from "./preflight.ts";
import { Records } from "./records.ts";
import { environmentOf } from "./run.ts";
import { commandShape } from "./shape.ts";

/**
 * Machines that the user's own programs start and stop: a virtual machine, a cloud by its command line, a computer that is woken. Each is
 * written down, with its commands, before anything is done, so that it is found and ended after whatever happens to this process.
 *
 * @param context.stateDir Where; this server is the only one that writes there.
 * @param graceMs How long a machine may still be there after a `stop` that has failed.
 */
export function createCommandProvider(
  target: CommandTarget,
  context: { readonly stateDir: string },
  graceMs?: number,
): Provider {
  const records = new Records(context.stateDir);
  const around: LookContext = { records, now: () => systemClock.now(), addresses: new Map() };
  /** Notes are read and written as a whole, so one after the other. */
  let annotated: Promise<unknown> = Promise.resolve();

  const describe = async (id: string, signal: AbortSignal): Promise<Machine> => {
    const facts = await records.read(id);
    return facts ? look(around, facts, signal) : unknownMachine(id);
  };

  return {
    ...commandShape(target, context),
    volumesFree: async () => ({ done: true }),
    attach: async () => ({ done: true }),
    volumes: async () => [],

    create: (request, signal) => begin(around, target, request, signal),

    async find(token, signal) {
      return { ...(await describe(idOf(token), signal)), token };
    },

    describe,

    async start(id) {
      throw new LazysshError("NOT_SUPPORTED", `${target.name}: ${id} cannot be started again`);
    },

    async rest(id) {
      throw new LazysshError("NOT_SUPPORTED", `${target.name}: ${id} cannot rest, it is ended`);
    },

    async destroy(id, signal) {
      const facts = await records.read(id);
      if (facts) await end(around, facts, signal, graceMs);
    },

    annotate(id, notes) {
      const writing = annotated.then(async () => {
        const facts = await records.read(id);
        if (!facts) return;
        const merged = Object.entries({ ...facts.notes, ...notes }).filter(
          ([, value]) => value !== undefined,
        );
        await records.write(id, "notes", Object.fromEntries(merged) as Notes);
      });
      annotated = writing.catch(() => undefined);
      return writing;
    },

    async list(signal, options = { gone: false }) {
      const machines: Machine[] = [];
      for (const id of await records.list(systemClock.now())) {
        const facts = await records.read(id);
        // One that cannot be asked now must not hide the others.
        if (facts) machines.push(await look(around, facts, signal).catch(() => lastKnown(facts)));
      }
      return machines.filter(({ phase }) => options.gone || phase !== "gone");
    },

    async preflight() {
      const order = {
        id: "",
        token: "",
        target: target.name,
        stateDir: records.stateDir,
        commands: target,
      };
      return preflight(target, environmentOf(order, "start").PATH ?? "");
    },
  };
}
