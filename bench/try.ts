import { bulk } from "./cases/bulk.ts";
import { startEnds } from "./ends.ts";
import { makeKeys, startLazyssh, startSshd } from "./peers.ts";
import { treeFor } from "./tree.ts";

using keys = makeKeys();
using tree = treeFor(process.argv[2]);
await using ends = startEnds();
await using lazy = await startLazyssh(keys, tree);
await using sshd = await startSshd(keys);
const bytes = 256e6;
const sink = await ends.port({ do: "sink", bytes });
const source = await ends.port({ do: "source", bytes });
for (let i = 0; i < 2; i++)
  for (const peer of [lazy, sshd])
    for (const direction of ["up", "down"] as const) {
      console.log(
        peer.name,
        direction,
        await bulk({
          keys,
          peer,
          bytes,
          direction,
          endPort: direction === "up" ? sink : source,
          cipher: "aes128-gcm@openssh.com",
        }),
      );
    }
process.exit(0);
