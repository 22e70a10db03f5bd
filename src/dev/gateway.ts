import type http from "node:http";
import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import type { Cloud } from "./cloud/cloud.ts";
import { createControl } from "./ec2/control.ts";
import { createEndpoint } from "./ec2/endpoint.ts";
import type { Faults } from "./ec2/faults.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Journal } from "./journal.ts";
import type { Mischief } from "./mischief.ts";
import { viewState } from "./state-view.ts";

export interface GatewayOptions {
  readonly cloud: Cloud;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly hypervisor: Hypervisor;
  readonly mischief: Mischief;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly save: () => Promise<void>;
  readonly outage: (ms: number) => Promise<void>;
  readonly problem: (text: string) => void;
}

/** What answers on the world's port: the EC2 API, and the switches under `/_dev/`. */
export function createGateway(options: GatewayOptions): http.RequestListener {
  const { cloud, faults, journal, hypervisor, clock, problem } = options;
  const endpoint = createEndpoint({
    cloud,
    faults,
    clock,
    signal: options.signal,
    consoleOutput: (id) => hypervisor.consoleOutput(id),
    onCall: (action) => journal.called(action, clock.now()),
    save: options.save,
  });
  const control = createControl({
    state: () => viewState(cloud, hypervisor, journal),
    faults,
    delays: () => cloud.delays,
    setDelays: (delays) => {
      cloud.delays = { ...cloud.delays, ...delays };
    },
    ...options.mischief,
    outage: (ms) => {
      options.outage(ms).catch((error: unknown) => problem(`outage: ${messageOf(error)}`));
    },
  });

  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const answer = pathname.startsWith("/_dev/")
      ? control(request, response, pathname)
      : endpoint(request, response);
    answer.catch((error: unknown) => {
      // Connections that break are part of the game; anything else is a fault of the world itself.
      if (!request.socket.destroyed && !options.signal.aborted) {
        problem(`${request.method} ${pathname}: ${messageOf(error)}`);
      }
      request.socket.destroy();
    });
  };
}
