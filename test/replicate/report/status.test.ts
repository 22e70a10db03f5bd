import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Judged, overallStatus } from "../../../src/replicate/report/status.ts";

const [ok, current, failed, refused, skipped] = (
  ["ok", "current", "failed", "refused", "skipped"] as const
).map((status): Judged => ({ status, error: undefined })) as [Judged, Judged, Judged, Judged, Judged];
const marred: Judged = { status: "ok", error: "retention failed" };

describe("overallStatus", () => {
  it.each<[string, Judged[], string[], string]>([
    ["all sent", [ok, ok], [], "ok"],
    ["nothing new", [current], [], "ok"],
    ["sent and current", [ok, current], [], "ok"],
    ["none looked at", [], [], "failed"],
    ["none looked at, with a reason", [], ["no boot"], "failed"],
    ["all sent, but `after` failed", [ok, ok], ["zpool export failed"], "failed"],
    ["one of three failed", [ok, failed, ok], [], "partial"],
    ["failed beside one without news", [current, failed], [], "partial"],
    ["skipped beside one that was sent", [ok, skipped], [], "partial"],
    ["all failed", [failed, failed], [], "failed"],
    ["all skipped", [skipped], [], "failed"],
    ["failed and refused", [failed, refused], [], "failed"],
    ["refused", [refused], [], "refused"],
    ["refused beside one without news", [refused, current], [], "refused"],
    ["refused beside one that was sent", [refused, ok], [], "partial"],
    ["refused and failed beside one without news", [refused, failed, current], [], "partial"],
    ["refused, and an error of the run", [refused], ["lost"], "failed"],
    ["sent, with an error all the same", [marred], [], "failed"],
    ["sent, with an error, beside a good one", [marred, ok], [], "partial"],
    ["sent with an error, beside a refused one", [marred, refused], [], "failed"],
  ])("%s", (_, datasets, errors, status) => {
    expect(overallStatus(datasets, errors)).toBe(status);
  });

  it("is ok only when nothing whatsoever went wrong, in whatever order", () => {
    const judged = fc.record<Judged>({
      status: fc.constantFrom("ok", "current", "failed", "refused", "skipped"),
      error: fc.option(fc.string(), { nil: undefined, freq: 8 }),
    });
    fc.assert(
      fc.property(
        fc.array(judged, { maxLength: 5 }),
        fc.array(fc.string(), { maxLength: 1 }),
        (datasets, errors) => {
          const status = overallStatus(datasets, errors);
          const clean = datasets.every((one) => /^(ok|current)$/.test(one.status) && one.error === undefined);
          expect(status === "ok").toBe(clean && errors.length === 0 && datasets.length > 0);
          expect(overallStatus(datasets.toReversed(), errors)).toBe(status);
        },
      ),
    );
  });
});
