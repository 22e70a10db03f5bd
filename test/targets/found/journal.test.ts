import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createJournal } from "../../../src/targets/index.ts";
import { tempDir } from "../../harness/temp.ts";

const record = {
  token: "lazyssh-1",
  target: "archiver",
  machine: undefined,
  startedAt: "2026-01-01T00:00:00.000Z",
};

describe("journal", () => {
  it("gives a later run what an earlier one wrote, and not what it forgot", async () => {
    const dir = tempDir();
    const first = createJournal(dir);
    await first.write(record);
    await first.write({ ...record, machine: "i-1" });
    await first.write({ ...record, token: "lazyssh-2" });
    await first.forget("lazyssh-2");
    await first.forget("lazyssh-2");
    expect(await createJournal(dir).read()).toEqual({
      records: [{ ...record, machine: "i-1" }],
      unreadable: [],
    });
    expect(readdirSync(join(dir, "launches"))).toEqual(["lazyssh-1.json"]);
  });

  it("is empty in a new folder", async () => {
    expect(await createJournal(tempDir()).read()).toEqual({ records: [], unreadable: [] });
  });

  it("names and keeps files that make no sense", async () => {
    const dir = tempDir();
    mkdirSync(join(dir, "launches"));
    const broken = ["a.json", "b.json", "c.json"].map((name) => join(dir, "launches", name));
    for (const [index, text] of ["", '{"token":"b"}', "null"].entries())
      writeFileSync(broken[index] ?? "", text);
    expect(await createJournal(dir).read()).toEqual({ records: [], unreadable: broken });
    expect(readdirSync(join(dir, "launches"))).toHaveLength(3);
  });

  it("fails, and says that nothing was started, when it cannot write", async () => {
    const dir = tempDir();
    writeFileSync(join(dir, "launches"), "in the way");
    await expect(createJournal(dir).write(record)).rejects.toThrow(/nothing was started.*--state-dir/);
  });
});
