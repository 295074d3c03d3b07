// What LiteLLM's key or team should say for a tenant, and what it lacks. Decides only; sends nothing.
// Names only what differs: sending `budget_duration` again would move LiteLLM's reset.

import { limitAt } from "../budget/limit.ts";
import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal, sameOnTheWire } from "../budget/money.ts";
import type { Instant, TenantConfig } from "../budget/tenant.ts";
import type { LiteLlmFields, SubjectReading } from "../ports.ts";
import type { PriorValues, TenantRecord } from "../tenant-record.ts";

export interface Missing {
  /** For the subject itself. */
  readonly fields: Partial<LiteLlmFields>;
  /** For the budget object of a key that is ours. */
  readonly softBudget: { readonly budgetId: string; readonly nanoUsd: NanoUsd } | null;
}

/** The fields of a key that Bursar creates. Under `observe` LiteLLM counts and resets, but has nothing to block at. */
export function fieldsOfNewKey(config: TenantConfig, now: Instant): LiteLlmFields {
  const limit = limitAt(config, now);
  const enforces = config.enforcement === "enforce";
  return {
    maxBudgetNanoUsd: enforces ? limit.blocksAtNanoUsd : null,
    softBudgetNanoUsd: enforces ? limit.alertsAtNanoUsd : null,
    budgetDuration: config.budgetDuration,
    metadata: { tenant_id: config.tenantId },
  };
}

/** What to send so that LiteLLM has the wish. Under `observe` only the mark in the metadata. */
export function missingIn(tenant: TenantRecord, reading: SubjectReading, now: Instant): Missing {
  const { config } = tenant;
  const mark = reading.metadata["tenant_id"] !== config.tenantId;
  const metadata = mark ? { metadata: { ...reading.metadata, tenant_id: config.tenantId } } : {};
  if (config.enforcement === "observe") return { fields: metadata, softBudget: null };

  const { blocksAtNanoUsd, alertsAtNanoUsd } = limitAt(config, now);
  const isTeam = config.subject.kind === "team";
  // LiteLLM refuses a team's soft budget that is not below its max_budget.
  const softBudget = isTeam && alertsAtNanoUsd >= blocksAtNanoUsd ? null : alertsAtNanoUsd;
  const lacksSoft = !isSame(reading.softBudgetNanoUsd, softBudget);
  // A budget object may be shared, so that of an adopted key is never touched. Without one a key has no soft budget.
  const budgetId = isTeam || tenant.adopted ? null : reading.budgetId;
  return {
    fields: {
      ...metadata,
      ...(!isSame(reading.maxBudgetNanoUsd, blocksAtNanoUsd) && { maxBudgetNanoUsd: blocksAtNanoUsd }),
      ...(isTeam && lacksSoft && { softBudgetNanoUsd: softBudget }),
      ...(reading.budgetDuration !== config.budgetDuration && { budgetDuration: config.budgetDuration }),
    },
    softBudget: budgetId !== null && lacksSoft ? { budgetId, nanoUsd: alertsAtNanoUsd } : null,
  };
}

/**
 * The updates in which LiteLLM takes the fields. It compares a team's two budgets with each other, a null counting as
 * what it has already; so where one of them is cleared, the soft one goes first and comes back last.
 */
export function inSteps(fields: Partial<LiteLlmFields>): Partial<LiteLlmFields>[] {
  const { softBudgetNanoUsd, ...rest } = fields;
  const clears = softBudgetNanoUsd === null || (softBudgetNanoUsd !== undefined && rest.maxBudgetNanoUsd === null);
  const steps = clears
    ? [{ softBudgetNanoUsd: null }, rest, softBudgetNanoUsd === null ? {} : { softBudgetNanoUsd }]
    : [fields];
  return steps.filter((step) => Object.keys(step).length > 0);
}

/** What an adopted subject had, to be given back when it is released. */
export function priorValuesOf(reading: SubjectReading): PriorValues {
  const decimal = (amount: NanoUsd | null) => (amount === null ? null : decimalFromNanoUsd(amount));
  return {
    maxBudget: decimal(reading.maxBudgetNanoUsd),
    softBudget: decimal(reading.softBudgetNanoUsd),
    budgetDuration: reading.budgetDuration,
    metadata: reading.metadata,
  };
}

/**
 * What to send to give an adopted subject back as it was. Under `observe` only what Bursar's own wish has left there:
 * another value is the work of somebody who manages LiteLLM by hand.
 */
export function toRestore(
  tenant: TenantRecord,
  prior: PriorValues,
  reading: SubjectReading,
  now: Instant,
): Partial<LiteLlmFields> {
  const { config } = tenant;
  const wish = limitAt(config, now);
  const mayRestore = (isOurs: boolean) => config.enforcement === "enforce" || isOurs;
  const maxBudget = amountOf(prior.maxBudget);
  const softBudget = amountOf(prior.softBudget);
  const restoresMax =
    !isSame(reading.maxBudgetNanoUsd, maxBudget) && mayRestore(isSame(reading.maxBudgetNanoUsd, wish.blocksAtNanoUsd));
  const restoresSoft =
    config.subject.kind === "team" &&
    !isSame(reading.softBudgetNanoUsd, softBudget) &&
    mayRestore(isSame(reading.softBudgetNanoUsd, wish.alertsAtNanoUsd));
  const restoresDuration =
    reading.budgetDuration !== prior.budgetDuration && mayRestore(reading.budgetDuration === config.budgetDuration);
  return {
    ...(restoresMax && { maxBudgetNanoUsd: maxBudget }),
    ...(restoresSoft && { softBudgetNanoUsd: softBudget }),
    ...(restoresDuration && { budgetDuration: prior.budgetDuration }),
    ...(reading.metadata["tenant_id"] === config.tenantId && { metadata: withoutMark(reading, prior) }),
  };
}

/** Whatever else was written into the metadata meanwhile stays. */
function withoutMark(reading: SubjectReading, prior: PriorValues): Record<string, unknown> {
  const { tenant_id: _, ...metadata } = reading.metadata;
  return "tenant_id" in prior.metadata ? { ...metadata, tenant_id: prior.metadata["tenant_id"] } : metadata;
}

function isSame(a: NanoUsd | null, b: NanoUsd | null): boolean {
  return a === null || b === null ? a === b : sameOnTheWire(a, b);
}

function amountOf(decimal: string | null): NanoUsd | null {
  return decimal === null ? null : nanoUsdFromDecimal(decimal);
}
