// Drift of LiteLLM from the desired state. Every difference is sent, and nothing else.

import { describe, expect, it } from "vitest";
import { fieldsToSend, toRestore } from "../../../src/flows/litellm/desired-state.ts";
import { hasDrifted } from "../../../src/flows/litellm/drift.ts";
import { presentMark } from "../../../src/flows/litellm/mark.ts";
import type { LiteLlmRow } from "../../../src/records/litellm-row.ts";
import type { PriorValues, TenantRecord } from "../../../src/records/tenant.ts";
import { aTenantConfig, NOW, usd } from "../../budget/builders.ts";
import { aTenant } from "../../support/builders/builders.ts";
import { aLiteLlmRow } from "../../support/fakes/fake-litellm.ts";

const { sync } = aTenant();
const own = aTenant({ sync: { ...sync, budgetId: "budget-1" } });
const team = aTenantConfig({ subject: { kind: "team", id: "red" } });
const observe = aTenantConfig({ enforcement: "observe" });

/** Sets the row's own value and the value in effect. */
const saying = (limits: Partial<LiteLlmRow["own"]>, differences: Partial<LiteLlmRow> = {}) =>
  aLiteLlmRow({ ...limits, own: { ...aLiteLlmRow().own, ...limits }, ...differences });

describe("drift under enforce", () => {
  it.each<[string, LiteLlmRow]>([
    ["max_budget", saying({ maxBudgetNanoUsd: usd("549.99") })],
    ["lack of a max_budget", saying({ maxBudgetNanoUsd: null })],
    ["soft_budget", aLiteLlmRow({ softBudgetNanoUsd: null })],
    ["budget_duration", saying({ budgetDuration: null })],
    ["lack of the ownership marker", aLiteLlmRow({ metadata: {} })],
    ["label, which is another's", aLiteLlmRow({ metadata: { tenant_id: "other", bursar_mark: "nonce-1.signature" } })],
    ["mark, which is another's", aLiteLlmRow({ metadata: { tenant_id: "acme", bursar_mark: "nonce-2.signature" } })],
    ["lack of the mark", aLiteLlmRow({ metadata: { tenant_id: "acme" } })],
  ])("counts a different %s as drift", (_, litellmRow) => {
    expect(hasDrifted(own, aLiteLlmRow(), NOW)).toBe(false);
    expect(hasDrifted(own, litellmRow, NOW)).toBe(true);
  });

  it("marks a key of an earlier release at its next read, and never a team", () => {
    expect(hasDrifted({ ...own, markNonce: null }, aLiteLlmRow(), NOW)).toBe(true);
    expect(hasDrifted({ ...own, config: team }, aLiteLlmRow({ metadata: { tenant_id: "acme" } }), NOW)).toBe(false);
  });

  it("ignores differences that a double cannot hold", () => {
    const config = aTenantConfig({ maxBudgetNanoUsd: usd("999999999.999999999"), graceThreshold: 10_000n });
    const asLiteLlmHasIt = saying({ maxBudgetNanoUsd: usd("1000000000") }, { softBudgetNanoUsd: usd("800000000") });
    expect(hasDrifted({ ...own, config }, asLiteLlmHasIt, NOW)).toBe(false);
  });

  it("accepts weeks as days, and corrects weeks that LiteLLM would reset every midnight", () => {
    const config = aTenantConfig({ budgetDuration: "1w" });
    expect(hasDrifted({ ...own, config }, saying({ budgetDuration: "7d" }), NOW)).toBe(false);
    expect(hasDrifted({ ...own, config }, saying({ budgetDuration: "1w" }), NOW)).toBe(true);
  });

  it.each<[string, TenantRecord, string | null]>([
    ["of an adopted key", aTenant({ adopted: true }), "shared"],
    ["of a key that has been linked to another object since", own, "shared"],
    ["of a key without a budget object", own, null],
    ["of a key that was created without one", aTenant(), "shared"],
  ])("ignores the soft budget %s, which is not Bursar's", (_, tenant, budgetId) => {
    expect(hasDrifted(tenant, aLiteLlmRow({ softBudgetNanoUsd: usd("1"), budgetId }), NOW)).toBe(false);
  });

  it("counts a team's soft budget where LiteLLM has one, and never resends it where LiteLLM has none", () => {
    const tenant = aTenant({ config: team, adopted: true });
    expect(hasDrifted(tenant, aLiteLlmRow({ softBudgetNanoUsd: usd("399") }), NOW)).toBe(true);
    expect(hasDrifted(tenant, aLiteLlmRow({ softBudgetNanoUsd: null }), NOW)).toBe(false);
  });
});

const bursar_mark = "nonce-1.signature";

describe("the block of a tenant", () => {
  const suspended = aTenant({ config: aTenantConfig({ suspendedAt: NOW }) });
  const marked = (differences: Partial<LiteLlmRow> = {}, whose = "acme") =>
    aLiteLlmRow({ metadata: { tenant_id: "acme", bursar_blocked_for: whose, note: "n", bursar_mark }, ...differences });
  const fields = (tenant: TenantRecord, litellmRow: LiteLlmRow) =>
    fieldsToSend(tenant, litellmRow, presentMark(tenant, litellmRow), NOW).fields;

  it("sends the block of a suspended tenant in one update with its ownership marker", () => {
    const metadata = { tenant_id: "acme", bursar_blocked_for: "acme", bursar_mark };
    expect(fields(suspended, aLiteLlmRow())).toEqual({ blocked: true, metadata });
    expect(fields(suspended, marked())).toEqual({ blocked: true });
  });

  it("leaves an existing block alone, set by Bursar or by an administrator", () => {
    expect(fields(suspended, marked({ blocked: true }))).toEqual({});
    expect(fields(suspended, aLiteLlmRow({ blocked: true }))).toEqual({});
  });

  it("lifts the block of a resumed tenant with its marker, and only Bursar's for this tenant", () => {
    const metadata = { tenant_id: "acme", note: "n", bursar_mark };
    expect(fields(aTenant(), marked({ blocked: true }))).toEqual({ blocked: false, metadata });
    expect(fields(aTenant(), marked())).toEqual({ metadata });
    expect(fields(aTenant(), aLiteLlmRow({ blocked: true }))).toEqual({});
    expect(fields(aTenant(), marked({ blocked: true }, "other"))).toEqual({});
  });
});

describe("drift under observe", () => {
  const fieldsFor = (tenant: TenantRecord, litellmRow: LiteLlmRow) =>
    fieldsToSend(tenant, litellmRow, presentMark(tenant, litellmRow), NOW).fields;
  const priorValues: PriorValues = { maxBudget: "20", softBudget: null, budgetDuration: "7d", metadata: {} };
  const adopted = aTenant({ config: observe, adopted: true, priorValues });

  it("removes the max_budget of Bursar's own key, and keeps its duration in sync", () => {
    const tenant = { ...own, config: observe };
    expect(fieldsFor(tenant, aLiteLlmRow())).toEqual({ maxBudgetNanoUsd: null });
    expect(fieldsFor(tenant, saying({ maxBudgetNanoUsd: null }))).toEqual({});
    expect(fieldsFor(tenant, saying({ maxBudgetNanoUsd: null, budgetDuration: "1d" }))).toEqual({
      budgetDuration: "30d",
    });
    expect(fieldsToSend(tenant, aLiteLlmRow({ softBudgetNanoUsd: usd("1") }), bursar_mark, NOW).softBudget).toBeNull();
  });

  it("leaves a limit of a shared budget object alone, because it is not the key's own", () => {
    const litellmRow = aLiteLlmRow({ own: { maxBudgetNanoUsd: null, budgetDuration: "30d" } });
    expect(fieldsFor({ ...own, config: observe }, litellmRow)).toEqual({});
  });

  it("restores what an adopted key had before, whatever limit Bursar had set", () => {
    const expected = { maxBudgetNanoUsd: usd("20"), budgetDuration: "7d" };
    expect(fieldsFor(adopted, aLiteLlmRow())).toEqual(expected);
    expect(fieldsFor(adopted, saying({ maxBudgetNanoUsd: usd("1") }))).toEqual(expected);
  });

  it("restores only the metadata where Bursar has set no limits, because another value is an administrator's", () => {
    const observed = { ...adopted, sync: { ...sync, hasSetLimits: false } };
    expect(fieldsFor(observed, saying({ maxBudgetNanoUsd: usd("1") }))).toEqual({});
    expect(fieldsFor(observed, aLiteLlmRow({ metadata: { a: 1, bursar_mark } }))).toEqual({
      metadata: { a: 1, tenant_id: "acme", bursar_mark },
    });
  });
});

it("keeps the ownership marker of another tenant when a subject is released", () => {
  const priorValues: PriorValues = { maxBudget: null, softBudget: null, budgetDuration: null, metadata: {} };
  const metadata = { tenant_id: "globex", bursar_blocked_for: "acme", note: "n" };
  const given = toRestore(aTenant({ adopted: true, priorValues }), aLiteLlmRow({ metadata }));
  expect(given.metadata).toEqual({ tenant_id: "globex", note: "n" });
});

it("restores nothing without prior values", () => {
  expect(toRestore(aTenant({ adopted: true, priorValues: null }), aLiteLlmRow())).toEqual({});
});
