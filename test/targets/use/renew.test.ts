import { describe, expect, it } from "vitest";
import type { Provider } from "../../../src/providers/index.ts";
import { LazysshError } from "../../../src/util/errors.ts";
import { memoryJournal, world } from "../world.ts";

/** The provider, which may not write on machines while `forbidden` says so. */
function mayNotWrite(provider: Provider, forbidden: () => boolean): Provider {
  return new Proxy(provider, {
    get(object, name) {
      if (name === "annotate" && forbidden()) {
        return () => Promise.reject(new LazysshError("NOT_PERMITTED", "the credentials lack ec2:CreateTags"));
      }
      const value = Reflect.get(object, name, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

describe("a lease on a machine", () => {
  it("is renewed again after a refusal, so that no other server ends the machine under who uses it", async () => {
    let forbidden = false;
    const { clock, cloud, start, ask, seen } = world({}, undefined, { group: "g" });
    const first = start((provider, journal) => ({
      provider: mayNotWrite(provider, () => forbidden),
      journal,
    }));
    const second = start((provider) => ({ provider, journal: memoryJournal() }), {}, "second");
    await first.recover();
    await second.recover();
    const asked = ask({ from: first });
    await clock.until(() => asked.settled, 60_000);
    expect(asked.error).toBeUndefined();

    forbidden = true;
    await clock.advance(90_000);
    forbidden = false;
    await clock.advance(900_000);
    expect(cloud.running).toHaveLength(1);
    expect(asked.lease?.signal.aborted).toBe(false);
    expect(seen.filter((event) => event.type === "server.warning")).toHaveLength(1);

    asked.lease?.release();
    await clock.until(() => cloud.running.length === 0, 120_000);
  });
});
