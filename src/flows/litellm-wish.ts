// What LiteLLM's key or team should say for a tenant, and what it lacks. Decides only; sends nothing.
// Names only what differs: sending `budget_duration` again would move LiteLLM's reset.

import { limitAt } from "../budget/limit.ts";
import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal, sameOnTheWire } from "../budget/money.ts";
import type { Instant, TenantConfig } from "../budget/tenant.ts";
import type { LiteLlmFields, SubjectReading } from "../records/subject-reading.ts";
import type { PriorValues, TenantRecord } from "../records/tenant-record.ts";
import { litellmDuration } from "./litellm-duration.ts";

export interface Missing {
  /** For the subject itself. */
  readonly fields: Partial<LiteLlmFields>;
  /** For the budget object that LiteLLM made with a key of ours. */
  readonly softBudget: { readonly budgetId: string; readonly nanoUsd: NanoUsd } | null;
}

/** The fields of a key that Bursar creates. Under `observe` LiteLLM counts and resets, but has nothing to block at. */
export function fieldsOfNewKey(config: TenantConfig, now: Instant): LiteLlmFields {
  const limit = limitAt(config, now);
  const enforces = config.enforcement === "enforce";
  return {
    maxBudgetNanoUsd: enforces ? limit.blocksAtNanoUsd : null,
    softBudgetNanoUsd: enforces ? limit.alertsAtNanoUsd : null,
    budgetDuration: litellmDuration(config.budgetDuration),
    metadata: { tenant_id: config.tenantId },
  };
}

/**
 * What to send so that LiteLLM has the wish. Under `observe` that is a subject which LiteLLM does not block for Bursar:
 * a key of ours has no max_budget, an adopted subject what it had before Bursar set limits.
 */
export function missingIn(tenant: TenantRecord, reading: SubjectReading, now: Instant): Missing {
  const { config } = tenant;
  const mark = reading.metadata["tenant_id"] !== config.tenantId;
  const metadata = mark ? { metadata: { ...reading.metadata, tenant_id: config.tenantId } } : {};
  if (config.enforcement === "enforce") {
    const { fields, softBudget } = missingLimits(tenant, reading, now);
    return { fields: { ...metadata, ...fields }, softBudget };
  }
  const lifted = tenant.adopted
    ? missingPriorLimits(tenant, reading)
    : { ...(reading.own.maxBudgetNanoUsd !== null && { maxBudgetNanoUsd: null }), ...missingDuration(tenant, reading) };
  return { fields: { ...metadata, ...lifted }, softBudget: null };
}

function missingLimits(tenant: TenantRecord, reading: SubjectReading, now: Instant): Missing {
  const { config } = tenant;
  const { blocksAtNanoUsd, alertsAtNanoUsd } = limitAt(config, now);
  const isTeam = config.subject.kind === "team";
  // LiteLLM refuses a team's soft budget that is not below its max_budget.
  const softBudget = isTeam && alertsAtNanoUsd >= blocksAtNanoUsd ? null : alertsAtNanoUsd;
  const lacksSoft = !isSame(reading.softBudgetNanoUsd, softBudget);
  // Any other object may be shared, also one that somebody has linked our own key to since.
  const { budgetId } = tenant.sync;
  const isOwnObject = budgetId !== null && reading.budgetId === budgetId;
  return {
    fields: {
      ...(!isSame(reading.maxBudgetNanoUsd, blocksAtNanoUsd) && { maxBudgetNanoUsd: blocksAtNanoUsd }),
      ...(isTeam && lacksSoft && { softBudgetNanoUsd: softBudget }),
      ...missingDuration(tenant, reading),
    },
    softBudget: isOwnObject && lacksSoft ? { budgetId, nanoUsd: alertsAtNanoUsd } : null,
  };
}

function missingDuration({ config }: TenantRecord, reading: SubjectReading): Partial<LiteLlmFields> {
  const budgetDuration = litellmDuration(config.budgetDuration);
  return reading.budgetDuration === budgetDuration ? {} : { budgetDuration };
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

/** What an adopted subject had itself, to be given back. What its budget object says is not the subject's. */
export function priorValuesOf({ own, softBudgetNanoUsd, metadata }: SubjectReading): PriorValues {
  const decimal = (amount: NanoUsd | null) => (amount === null ? null : decimalFromNanoUsd(amount));
  return {
    maxBudget: decimal(own.maxBudgetNanoUsd),
    softBudget: decimal(softBudgetNanoUsd),
    budgetDuration: own.budgetDuration,
    metadata,
  };
}

/** What to send to give an adopted subject back as it was. */
export function toRestore(tenant: TenantRecord, reading: SubjectReading): Partial<LiteLlmFields> {
  const { config, priorValues } = tenant;
  if (priorValues === null) return {};
  return {
    ...missingPriorLimits(tenant, reading),
    ...(reading.metadata["tenant_id"] === config.tenantId && { metadata: withoutMark(reading, priorValues) }),
  };
}

/** Nothing when Bursar has set no limits: what LiteLLM has then is the work of somebody who manages it by hand. */
function missingPriorLimits(tenant: TenantRecord, reading: SubjectReading): Partial<LiteLlmFields> {
  const { config, priorValues, sync } = tenant;
  if (priorValues === null || !sync.hasSetLimits) return {};
  const { budgetDuration } = priorValues;
  const maxBudget = amountOf(priorValues.maxBudget);
  const softBudget = amountOf(priorValues.softBudget);
  const lacksSoft = config.subject.kind === "team" && !isSame(reading.softBudgetNanoUsd, softBudget);
  return {
    ...(!isSame(reading.own.maxBudgetNanoUsd, maxBudget) && { maxBudgetNanoUsd: maxBudget }),
    ...(lacksSoft && { softBudgetNanoUsd: softBudget }),
    ...(reading.own.budgetDuration !== budgetDuration && { budgetDuration }),
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
