// The circuit breaker in front of LiteLLM: it opens for LiteLLM, never for one tenant's broken row.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterAnswer,
  afterFailure,
  afterProbe,
  type BreakerState,
  CLOSED_BREAKER,
  isOpen,
  isProbeDue,
  whileProbing,
} from "../../src/budget/failure.ts";
import { NOW, SECOND } from "./builders.ts";

const afterFailures = (subjects: readonly string[], from: BreakerState = CLOSED_BREAKER, now = NOW): BreakerState =>
  subjects.reduce((breaker, subject) => afterFailure(breaker, subject, now), from);
const suspicious = afterFailures(["a", "b", "c"]);
const open = afterProbe(suspicious, false, NOW);

describe("the suspicion", () => {
  it("does not arise from one subject or two, however often they fail", () => {
    const twoSubjects = fc.array(fc.constantFrom("a", "b"), { maxLength: 50 });
    fc.assert(
      fc.property(twoSubjects, (subjects) => {
        expect(isProbeDue(afterFailures(subjects), NOW)).toBe(false);
      }),
    );
  });

  it("arises from three subjects, in any order with repetitions", () => {
    expect(isProbeDue(suspicious, NOW)).toBe(true);
    expect(isProbeDue(afterFailures(["a", "a", "b", "a", "c"]), NOW)).toBe(true);
  });

  it("does not arise from failures that are half a minute apart", () => {
    const two = afterFailures(["a", "b"]);
    expect(isProbeDue(afterFailure(two, "c", NOW + 30 * SECOND - 1), NOW + 30 * SECOND - 1)).toBe(true);
    expect(isProbeDue(afterFailure(two, "c", NOW + 30 * SECOND), NOW + 30 * SECOND)).toBe(false);
  });

  it("ends with any answer", () => {
    expect(isProbeDue(afterFailure(afterAnswer(), "d", NOW), NOW)).toBe(false);
  });

  it("keeps three subjects at most", () => {
    const many = afterFailures(Array.from({ length: 1_000 }, (_, index) => `subject ${index}`));
    expect(many.failures.size).toBe(3);
  });
});

describe("the probe", () => {
  it("alone opens the breaker, for 5 s", () => {
    expect(isOpen(suspicious, NOW)).toBe(false);
    expect([0, 4_999, 5_000].map((ms) => isOpen(open, NOW + ms))).toEqual([true, true, false]);
  });

  it("ends the suspicion when LiteLLM answers it", () => {
    const answered = afterProbe(suspicious, true, NOW);
    expect([isOpen(answered, NOW), isProbeDue(afterFailure(answered, "d", NOW), NOW)]).toEqual([false, false]);
  });

  it("opens nothing when a call was answered while it was under way", () => {
    expect(isOpen(afterProbe(afterFailure(afterAnswer(), "d", NOW), false, NOW), NOW)).toBe(false);
  });

  it("goes out once at a time, and again after 5 s if its result never came", () => {
    const probing = afterFailure(whileProbing(suspicious, NOW), "d", NOW);
    expect([0, 4_999, 5_000].map((ms) => isProbeDue(probing, NOW + ms))).toEqual([false, false, true]);
  });

  it("becomes due again at the first failure after the pause, of any subject", () => {
    const failedAgain = afterFailure(open, "a", NOW + 5 * SECOND);
    expect([isOpen(failedAgain, NOW + 5 * SECOND), isProbeDue(failedAgain, NOW + 5 * SECOND)]).toEqual([false, true]);
  });

  it("waits while the breaker is open", () => {
    expect(isProbeDue(afterFailure(open, "d", NOW + SECOND), NOW + SECOND)).toBe(false);
  });
});
