import type { Provider } from "../../providers/index.ts";
import type { MachineContext } from "../context.ts";

/**
 * The surroundings in which a machine is ended whose own target is not configured any more: another target's of the same cloud,
 * under its own name, and without the volumes, which are that other target's.
 */
export function strangerContext(context: MachineContext, target: string): MachineContext {
  return {
    ...context,
    family: target,
    target: {
      ...context.target,
      name: target,
      // Other servers of the group may use it still, and who puts the target back meanwhile waits for its end.
      shared: true,
      stopMode: "terminate",
      beforeStop: undefined,
    },
    provider: withoutVolumes(context.provider),
  };
}

/** A provider that ends machines and knows nothing of volumes. */
export function withoutVolumes(provider: Provider): Provider {
  return {
    type: provider.type,
    summary: provider.summary,
    // Of a machine of another target it is not known.
    hasVolumes: true,
    alternatives: provider.alternatives,
    volumesFree: async () => ({ done: true }),
    create: (request, signal) => provider.create(request, signal),
    find: (token, signal) => provider.find(token, signal),
    describe: (id, signal) => provider.describe(id, signal),
    attach: (id, signal) => provider.attach(id, signal),
    start: (id, signal) => provider.start(id, signal),
    rest: (id, options, signal) => provider.rest(id, options, signal),
    destroy: (id, signal) => provider.destroy(id, signal),
    annotate: (id, notes, signal) => provider.annotate(id, notes, signal),
    remedy: (id, token) => provider.remedy(id, token),
    list: (signal, options) => provider.list(signal, options),
    volumes: async () => [],
    preflight: (signal) => provider.preflight(signal),
  };
}
