// When nothing can be read: the fail policy and its time limit, and the verdict on what is left.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { failPolicyAt } from "../../src/budget/failure.ts";
import type { FailPolicy, TenantConfig, TenantId } from "../../src/budget/tenant.ts";
import { verdictOnNothing, verdictWithoutRead } from "../../src/budget/verdict.ts";
import { anyLimit, aSpendRecord, aTenantConfig, DAY, MINUTE, NOW, PERIOD_START, RESET, usd } from "./builders.ts";

describe("the fail policy", () => {
  type Situation = Partial<Pick<TenantConfig, "failPolicy" | "subjectMissingAt">> & {
    defaultPolicy?: FailPolicy;
    outageStartedAt?: number | null;
    failOpenMinutes?: number;
  };
  function policyIn(situation: Situation): FailPolicy {
    const { defaultPolicy = "open", outageStartedAt = null, failOpenMinutes = 60, ...config } = situation;
    const whole = { failPolicy: null, subjectMissingAt: null, ...config };
    return failPolicyAt({ config: whole, defaultPolicy, outageStartedAt, failOpenMinutes, now: NOW });
  }

  it("takes the tenant's policy, else the deployment's", () => {
    expect(policyIn({ failPolicy: "closed", defaultPolicy: "open" })).toBe("closed");
    expect(policyIn({ failPolicy: "open", defaultPolicy: "closed" })).toBe("open");
    expect(policyIn({ defaultPolicy: "closed" })).toBe("closed");
  });

  it.each<FailPolicy>(["open", "closed"])("takes the deployment's policy %s without a config", (defaultPolicy) => {
    const outage = { outageStartedAt: null, failOpenMinutes: 60 };
    expect(failPolicyAt({ config: null, defaultPolicy, ...outage, now: NOW })).toBe(defaultPolicy);
  });

  test.each<[string, number | null, number, FailPolicy]>([
    ["stays open without a known beginning", null, 60, "open"],
    ["stays open 1 ms before the bound", NOW - 60 * MINUTE + 1, 60, "open"],
    ["turns closed at the bound", NOW - 60 * MINUTE, 60, "closed"],
    ["has the bound of the deployment", NOW - 60 * MINUTE, 61, "open"],
    ["never turns closed when the bound is 0", NOW - 900 * DAY, 0, "open"],
    ["stays open when the beginning was noted by a clock that is ahead", NOW + MINUTE, 60, "open"],
  ])("open %s, of an outage and of a missing subject", (_rule, since, failOpenMinutes, expected) => {
    expect(policyIn({ outageStartedAt: since, failOpenMinutes })).toBe(expected);
    expect(policyIn({ failPolicy: "open", outageStartedAt: since, failOpenMinutes })).toBe(expected);
    expect(policyIn({ subjectMissingAt: since, failOpenMinutes })).toBe(expected);
  });

  it("counts from the earlier of the outage and the missing subject", () => {
    const [early, late] = [NOW - 60 * MINUTE, NOW - MINUTE];
    expect(policyIn({ subjectMissingAt: early, outageStartedAt: late })).toBe("closed");
    expect(policyIn({ subjectMissingAt: late, outageStartedAt: early })).toBe("closed");
    expect(policyIn({ subjectMissingAt: late, outageStartedAt: late })).toBe("open");
  });

  it("a closed policy never becomes open", () => {
    const instant = fc.option(fc.integer({ min: NOW - DAY, max: NOW }), { nil: null });
    fc.assert(
      fc.property(instant, fc.nat(120), (outageStartedAt, failOpenMinutes) => {
        expect(policyIn({ failPolicy: "closed", outageStartedAt, failOpenMinutes })).toBe("closed");
      }),
    );
  });
});

describe("no read", () => {
  const seenLongAgo = { observedAt: NOW - 10 * DAY, readAt: NOW - 10 * DAY };
  const ok = aSpendRecord({ ...seenLongAgo, spendNanoUsd: usd("100") });
  const grace = aSpendRecord({ ...seenLongAgo, spendNanoUsd: usd("549.999999999") });
  const blocked = aSpendRecord({ ...seenLongAgo, spendNanoUsd: usd("550") });

  const judge = (record: typeof ok | null, policy: FailPolicy, now = NOW, differences: Partial<TenantConfig> = {}) =>
    verdictWithoutRead(aTenantConfig(differences), record, now, policy);

  test.each<FailPolicy>(["open", "closed"])(
    "blocked stays blocked under %s, however old, until the reset",
    (policy) => {
      const expected = { allowed: false, state: "blocked", reason: "over_grace", source: "last_known", degraded: true };
      expect(judge(blocked, policy)).toMatchObject(expected);
      expect(judge(blocked, policy, RESET - 1)).toMatchObject(expected);
      expect(judge(blocked, policy, RESET).reason).toBe("spend_unknown");
    },
  );

  it("leaves the answer to the fail policy from the reset on", () => {
    const open = { allowed: true, state: "unknown", reason: "spend_unknown", source: "fail_open", degraded: true };
    const closed = { allowed: false, state: "unknown", reason: "spend_unknown", source: "fail_closed", degraded: true };
    for (const record of [ok, blocked]) {
      expect(judge(record, "open", RESET)).toMatchObject(open);
      expect(judge(record, "closed", RESET)).toMatchObject(closed);
    }
  });

  it("blocked stays blocked for ever when the budget never resets", () => {
    expect(judge({ ...blocked, resetsAt: null }, "open", NOW + 999 * DAY).allowed).toBe(false);
  });

  it("allowed stays allowed under open, in the state it was in", () => {
    expect(judge(ok, "open")).toMatchObject({ allowed: true, state: "ok", source: "last_known", degraded: true });
    expect(judge(grace, "open")).toMatchObject({ allowed: true, state: "grace", reason: "over_limit" });
  });

  it("allowed is refused under closed, as a failure and not as a budget refusal", () => {
    const expected = { allowed: false, state: "unknown", reason: "spend_unknown", source: "fail_closed" };
    expect(judge(ok, "closed")).toMatchObject(expected);
    expect(judge(ok, "closed").spend).toMatchObject({ spendNanoUsd: usd("100"), ageSeconds: 864_000 });
  });

  it("follows the fail policy without spend", () => {
    expect(judge(null, "open")).toMatchObject({ allowed: true, source: "fail_open", state: "unknown", spend: null });
    expect(judge(null, "closed")).toMatchObject({ allowed: false, source: "fail_closed", reason: "spend_unknown" });
  });

  it("keeps the config's budget in the verdict without spend", () => {
    const budget = { periodStartedAt: PERIOD_START, resetsAt: RESET, limitNanoUsd: usd("500") };
    expect(judge(null, "open").budget).toMatchObject(budget);
  });

  it.each<FailPolicy>(["open", "closed"])("suspended and zero-limit tenants are refused as such under %s", (policy) => {
    const suspended = { allowed: false, reason: "suspended", source: "last_known" };
    expect(judge(null, policy, NOW, { suspendedAt: NOW - DAY })).toMatchObject(suspended);
    expect(judge(ok, policy, RESET, { maxBudgetNanoUsd: 0n })).toMatchObject({ allowed: false, reason: "zero_limit" });
  });

  it("names a missing subject as the reason, and keeps a block of this period", () => {
    const missing = { subjectMissingAt: NOW - MINUTE };
    const reason = { state: "unknown", reason: "subject_missing", degraded: true };
    expect(judge(ok, "open", NOW, missing)).toMatchObject({ ...reason, allowed: true, source: "fail_open" });
    expect(judge(ok, "closed", NOW, missing)).toMatchObject({ ...reason, allowed: false, source: "fail_closed" });
    expect(judge(null, "open", NOW, missing)).toMatchObject({ ...reason, allowed: true });
    expect(judge(blocked, "open", NOW, missing)).toMatchObject({ allowed: false, reason: "over_grace" });
    expect(judge(blocked, "open", RESET, missing)).toMatchObject({ ...reason, allowed: true });
  });

  it("keeps the block of another administrator in LiteLLM while LiteLLM cannot be read", () => {
    const expected = { allowed: false, state: "blocked", reason: "litellm_blocked", source: "last_known" };
    expect(judge(null, "open", RESET, { litellmBlockedAt: NOW - DAY })).toMatchObject(expected);
  });

  it("allows a tenant under observe and shows that a closed policy would have refused", () => {
    const observing = { enforcement: "observe" } as const;
    expect(judge(ok, "closed", NOW, observing)).toMatchObject({
      allowed: true,
      wouldBlock: true,
      source: "fail_closed",
    });
    expect(judge(null, "open", NOW, observing)).toMatchObject({ allowed: true, wouldBlock: false });
    expect(judge(blocked, "open", NOW, observing)).toMatchObject({ allowed: true, wouldBlock: true, state: "blocked" });
  });

  it("refuses a known block under every policy, and allows no one under a closed policy", () => {
    fc.assert(
      fc.property(anyLimit, anyLimit, (maxBudgetNanoUsd, spendNanoUsd) => {
        const record = { ...ok, spendNanoUsd };
        const open = judge(record, "open", NOW, { maxBudgetNanoUsd });
        expect(open.allowed).toBe(open.state !== "blocked");
        expect(open.source).toBe("last_known");
        expect(judge(record, "closed", NOW, { maxBudgetNanoUsd }).allowed).toBe(false);
      }),
    );
  });

  it("leaves the answer to the fail policy without a config", () => {
    const nothing = { state: "unknown", reason: "spend_unknown", degraded: true, budget: null, spend: null } as const;
    expect(verdictOnNothing(null, "open")).toMatchObject({ ...nothing, allowed: true, source: "fail_open" });
    const named = verdictOnNothing("acme" as TenantId, "closed");
    expect(named).toMatchObject({
      ...nothing,
      allowed: false,
      source: "fail_closed",
      tenantId: "acme",
      wouldBlock: null,
    });
  });
});
