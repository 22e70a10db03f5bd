import { bulk } from "./cases/bulk.ts";
import { startEnds } from "./ends.ts";
import { makeKeys, startLazyssh } from "./peers.ts";
import { treeFor } from "./tree.ts";

using keys = makeKeys();
using tree = treeFor(undefined);
await using ends = startEnds();
await using lazy = await startLazyssh(keys, tree);
const bytes = 2e9;
const direction = process.argv[2] as "up" | "down";
const sink = await ends.port({ do: direction === "up" ? "sink" : "source", bytes });
for (let i = 0; i < 2; i++)
  console.log(
    await bulk({ keys, peer: lazy, bytes, direction, endPort: sink, cipher: "aes128-gcm@openssh.com" }),
  );
await lazy[Symbol.asyncDispose]();
process.exit(0);
