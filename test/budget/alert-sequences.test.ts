// Who was told that calls are refused is told when they no longer are, whatever happens in between.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Step, ToldTenant } from "./told-tenant.ts";

const dollars = fc.integer({ min: 0, max: 300 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("limit" as const), dollars: fc.constantFrom(0, 50, 100, 200) }),
  { arbitrary: fc.record({ kind: fc.constant("spend" as const), dollars }), weight: 4 },
  fc.record({ kind: fc.constant("grant" as const), dollars: fc.constantFrom(50, 100) }),
  fc.record({ kind: fc.constantFrom("reset", "end", "suspend", "resume", "repeat") }),
  fc.record({ kind: fc.constant("wait" as const), minutes: fc.constantFrom(59, 240, 1_440) }),
);
const sequences = fc.array(fc.record({ step: anyStep, isEvaluated: fc.boolean() }), { maxLength: 40 });

/** The event types that people are told, of steps that are evaluated one by one. */
function toldOf(...steps: readonly Step[]): string[] {
  const tenant = new ToldTenant();
  return steps.flatMap((step) => {
    tenant.take(step);
    return tenant.evaluate().map(({ eventType }) => eventType);
  });
}

const spend = (amount: number): Step => ({ kind: "spend", dollars: amount });
const BLOCKED_BY_120 = ["budget_blocked"];

describe("sequences of blocks", () => {
  it("announces the end of each block, after a raise and a block by a wrong amount too, and then the next block", () => {
    const limit: Step = { kind: "limit", dollars: 200 };
    expect(toldOf(spend(120), limit, spend(250), spend(120), spend(230))).toEqual([
      ...BLOCKED_BY_120,
      "budget_resolved",
      "budget_blocked",
      "budget_resolved",
      "budget_blocked",
    ]);
  });

  it("announces the end of each block, after a reset and a block by a wrong amount too, and then the next block", () => {
    expect(toldOf(spend(120), { kind: "reset" }, spend(130), spend(0), spend(140))).toEqual([
      ...BLOCKED_BY_120,
      "budget_resolved",
      "budget_blocked",
      "budget_resolved",
      "budget_blocked",
    ]);
  });

  it("announces that a lower limit blocks again at a spend at which the last block ended", () => {
    expect(toldOf(spend(120), spend(105), { kind: "limit", dollars: 50 })).toEqual([
      ...BLOCKED_BY_120,
      "budget_resolved",
      "budget_blocked",
    ]);
  });

  it("announces exactly one end of each announced block, in any sequence, and every block after it", () => {
    fc.assert(
      fc.property(sequences, (steps) => {
        const tenant = new ToldTenant();
        let believesBlocked = false;
        let isOfEarlierPeriod = false;
        for (const { step, isEvaluated } of [...steps, { step: spend(0), isEvaluated: true }]) {
          tenant.take(step);
          isOfEarlierPeriod ||= step.kind === "reset";
          if (!isEvaluated) continue;
          for (const { eventType, repetition } of tenant.evaluate()) {
            if (eventType === "budget_blocked" && repetition === 0) {
              expect(believesBlocked && !isOfEarlierPeriod).toBe(false);
              believesBlocked = true;
              isOfEarlierPeriod = false;
            }
            if (eventType === "budget_resolved") {
              expect(believesBlocked).toBe(true);
              believesBlocked = false;
            }
          }
          if (tenant.isOverBlock) expect(believesBlocked).toBe(true);
          if (!tenant.isBlocked) expect(believesBlocked).toBe(false);
        }
        expect(tenant.swallowed).toEqual([]);
        const names = tenant.told.map(({ identity }) => identity);
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 3_000 },
    );
  });
});
