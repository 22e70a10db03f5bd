import { type EC2Client, EC2ServiceException } from "@aws-sdk/client-ec2";
import { expect } from "vitest";
import { Cloud, type CloudOptions } from "../../../src/dev/cloud/cloud.ts";
import { importKeyPair } from "../../../src/dev/cloud/key-pairs.ts";
import type { Delays } from "../../../src/dev/cloud/state.ts";
import { createEndpoint } from "../../../src/dev/ec2/endpoint.ts";
import { Faults } from "../../../src/dev/ec2/faults.ts";
import { createListener } from "../../../src/dev/ec2/listener.ts";
import { generateKeyPair } from "../../../src/dev/host-key.ts";
import { runCloud } from "../../../src/dev/ticker.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { ec2Client } from "../../harness/world.ts";

const KEY = generateKeyPair("test").public;
const QUICK: Delays = { pendingMs: 60, bootMs: 20, attachMs: 60, shutdownMs: 60, detachMs: 60 };

export interface TestApi extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly faults: Faults;
  readonly ec2: EC2Client;
  readonly endpoint: string;
  readonly calls: string[];
}

/** The EC2 API over HTTP, with machines that exist in the books only. */
export async function startApi(options: Partial<CloudOptions> = {}): Promise<TestApi> {
  const clock = options.clock ?? systemClock;
  const cloud = new Cloud({ ...options, clock, delays: { ...QUICK, ...options.delays } });
  importKeyPair(cloud, "lazyssh-dev", KEY);
  const faults = new Faults();
  const calls: string[] = [];
  const closing = new AbortController();
  const answer = createEndpoint({
    cloud,
    faults,
    clock,
    consoleOutput: (id) => `${id} booted\n`,
    onCall: (action) => calls.push(action),
    save: async () => undefined,
    signal: closing.signal,
  });
  const listener = await createListener(0, (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  const running = runCloud(cloud, clock, closing.signal);
  const endpoint = `http://127.0.0.1:${listener.port}`;
  const ec2 = ec2Client({ endpoint, region: "us-west-2" });
  return {
    cloud,
    faults,
    ec2,
    endpoint,
    calls,
    async [Symbol.asyncDispose]() {
      ec2.destroy();
      closing.abort();
      await listener.down();
      await running;
    },
  };
}

/** The error a call is refused with: its code, message and HTTP status. */
export async function refusalOf(
  call: Promise<unknown>,
): Promise<{ code: string; message: string; status: number | undefined }> {
  const error: unknown = await call.then(
    () => expect.fail("the call was not refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof EC2ServiceException)) throw error;
  return { code: error.name, message: error.message, status: error.$metadata.httpStatusCode };
}
