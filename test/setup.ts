import "../src/util/native-ciphers.ts";
import fc from "fast-check";

/**
 * The same cases in every run, so that a change lands or fails for its own sake. FC_SEED=random looks for new ones;
 * what it finds becomes a test of its own.
 */
const seed = process.env.FC_SEED ?? "20261122";
if (seed !== "random") fc.configureGlobal({ seed: Number(seed) });
