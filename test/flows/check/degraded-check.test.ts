// The verdict inferred from LiteLLM's own row: its tenant, its block threshold, and always degraded.

import { beforeEach, describe, expect, it } from "vitest";
import { type InferredVerdict, inferVerdictFromLiteLlm } from "../../../src/flows/check/degraded-check.ts";
import type { LiteLlmRow } from "../../../src/records/litellm-row.ts";
import { NOW, PERIOD_START, RESET, usd } from "../../budget/builders.ts";
import { hashOf } from "../../support/builders/builders.ts";
import { AWAY, aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";
import { CheckWorld } from "../../support/worlds/check-world.ts";

let world: CheckWorld;
beforeEach(() => {
  world = new CheckWorld();
});

function ask(litellmRow: Partial<LiteLlmRow> | null = {}): Promise<InferredVerdict> {
  if (litellmRow !== null) world.litellm.has(aLiteLlmRow(litellmRow));
  return inferVerdictFromLiteLlm({ keyHash: hashOf("a"), now: NOW }, world.deps());
}

describe("a tenant's own key", () => {
  it("answers with the budget that Bursar last sent to LiteLLM, as degraded", async () => {
    expect(await ask({ spendNanoUsd: usd("412.5") })).toMatchObject({
      tenantId: "acme",
      allowed: true,
      state: "warning",
      source: "litellm",
      degraded: true,
      budget: {
        limitNanoUsd: usd("500"),
        blocksAtNanoUsd: usd("550"),
        alertThreshold: 8_000n,
        periodStartedAt: PERIOD_START,
        resetsAt: RESET,
      },
      spend: { spendNanoUsd: usd("412.5"), used: 8_250n },
    });
  });

  it("refuses a key that Bursar has suspended, also one without a max_budget of an observed tenant", async () => {
    const metadata = { tenant_id: "acme", bursar_blocked_for: "acme" };
    for (const maxBudgetNanoUsd of [usd("550"), null]) {
      expect(await ask({ metadata, maxBudgetNanoUsd })).toMatchObject({
        allowed: false,
        reason: "suspended",
        degraded: true,
      });
    }
  });

  it("refuses a key that another than Bursar has blocked", async () => {
    expect(await ask({ blocked: true })).toMatchObject({ allowed: false, reason: "litellm_blocked", degraded: true });
  });

  it.each([
    ["549.999999999", true],
    ["550", false],
  ])("blocks exactly where LiteLLM does: %s is allowed %s", async (dollars, isAllowed) => {
    expect(await ask({ spendNanoUsd: usd(dollars) })).toMatchObject({ allowed: isAllowed });
  });

  it.each([
    ["its own", "300", 6_000n],
    ["the lowest valid one", "250", 5_000n],
    ["the highest valid one", "500", 10_000n],
    ["one below the lowest: the default", "249", 8_000n],
    ["one above the limit: the default", "501", 8_000n],
    ["none: the default", null, 8_000n],
  ])("alerts at the soft budget: %s", async (_, softBudget, alertThreshold) => {
    const softBudgetNanoUsd = softBudget === null ? null : usd(softBudget);
    expect(await ask({ softBudgetNanoUsd })).toMatchObject({ budget: { alertThreshold } });
  });

  it("blocks on a budget of zero", async () => {
    const verdict = await ask({ maxBudgetNanoUsd: 0n, softBudgetNanoUsd: 0n, spendNanoUsd: 0n });
    expect(verdict).toMatchObject({ allowed: false, reason: "zero_limit" });
  });

  it("begins the period with the read when LiteLLM does not know when the key was created", async () => {
    expect(await ask({ createdAt: null })).toMatchObject({ budget: { periodStartedAt: NOW } });
  });
});

describe("a key of a team", () => {
  const key = { metadata: {}, teamId: "team-1", spendNanoUsd: usd("1") };
  const team = (differences: Partial<LiteLlmRow> = {}) =>
    world.litellm.has(aLiteLlmRow({ subject: { kind: "team", id: "team-1" }, ...differences }));

  it("answers with the team's spend", async () => {
    team({ spendNanoUsd: usd("550") });
    expect(await ask(key)).toMatchObject({ tenantId: "acme", allowed: false, degraded: true });
  });

  it.each<[string, () => void]>([
    ["is not a tenant", () => team({ metadata: {} })],
    [
      "cannot be read",
      () => {
        team();
        world.litellm.nextTries.push(null, AWAY);
      },
    ],
  ])("gets no answer when the team %s", async (_, arrange) => {
    arrange();
    expect(await ask(key)).toBe("no_answer");
  });
});

describe("no verdict", () => {
  it("treats a key as unknown that LiteLLM does not have", async () => {
    expect(await ask(null)).toBe("unknown_key");
  });

  it.each([
    ["LiteLLM is away", AWAY],
    ["LiteLLM refuses Bursar's request", { kind: "refused", status: 401, param: null, message: "no" } as const],
  ])("%s gives no answer", async (_, failed) => {
    world.litellm.nextTries.push(failed);
    expect(await ask()).toBe("no_answer");
  });

  it.each<[string, Partial<LiteLlmRow>]>([
    ["no ownership marker", { metadata: {} }],
    ["an empty ownership marker", { metadata: { tenant_id: "" } }],
    ["an ownership marker that is not text", { metadata: { tenant_id: 7 } }],
    ["no budget, as under observe", { maxBudgetNanoUsd: null }],
  ])("gives no answer for a key with %s", async (_, differences) => {
    expect(await ask(differences)).toBe("no_answer");
  });

  it("asks LiteLLM once, because there is no time for more", async () => {
    world.litellm.nextTries.push(AWAY);
    await ask();
    expect(world.litellm.reads).toHaveLength(1);
  });
});
