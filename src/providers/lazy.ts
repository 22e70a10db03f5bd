import type { Provider } from "./provider.ts";

/** What is known of a provider without asking its cloud anything. */
export type ProviderShape = Pick<Provider, "type" | "summary" | "hasVolumes" | "alternatives" | "remedy">;

/** A provider whose verbs are loaded by the first of them that is called, so that a server at rest is small. */
export function lazyProvider(shape: ProviderShape, load: () => Promise<Provider>): Provider {
  let loaded: Provider | undefined;
  let loading: Promise<Provider> | undefined;
  const whole = (): Promise<Provider> =>
    (loading ??= load().then((provider) => {
      loaded = provider;
      return provider;
    }));
  return {
    ...shape,
    // What has been tried says more than what is known from the start.
    remedy: (id, token) => (loaded ?? shape).remedy(id, token),
    volumesFree: async (...given) => (await whole()).volumesFree(...given),
    create: async (...given) => (await whole()).create(...given),
    find: async (...given) => (await whole()).find(...given),
    describe: async (...given) => (await whole()).describe(...given),
    attach: async (...given) => (await whole()).attach(...given),
    start: async (...given) => (await whole()).start(...given),
    rest: async (...given) => (await whole()).rest(...given),
    destroy: async (...given) => (await whole()).destroy(...given),
    annotate: async (...given) => (await whole()).annotate(...given),
    list: async (...given) => (await whole()).list(...given),
    volumes: async (...given) => (await whole()).volumes(...given),
    preflight: async (...given) => (await whole()).preflight(...given),
  };
}
