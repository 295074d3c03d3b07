// What LiteLLM's key or team should say for a tenant, and what it lacks. Decides only; sends nothing.
// Names only what differs: sending `budget_duration` again would move LiteLLM's reset.

import { limitAt } from "../../budget/limit.ts";
import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal, sameOnTheWire } from "../../budget/money.ts";
import type { Instant, TenantConfig } from "../../budget/tenant.ts";
import type { LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";
import type { PriorValues, TenantRecord } from "../../records/tenant-record.ts";
import { litellmDuration } from "./litellm-duration.ts";

export interface Missing {
  /** For the subject itself. */
  readonly fields: Partial<LiteLlmFields>;
  /** For the budget object that LiteLLM made with a key of ours. */
  readonly softBudget: { readonly budgetId: string; readonly nanoUsd: NanoUsd } | null;
}

/**
 * In the metadata of a subject that Bursar has blocked, with the tenant's id: what somebody else has blocked is never
 * unblocked. It travels in one update with the block. Whoever replaces the metadata drops it, an overlapping sync too:
 * so Postgres notes the block as well (`hasBlocked`), and either of them says whose it is.
 */
export const OWNERSHIP_MARKER = "bursar_blocked_for";

/** The fields of a key that Bursar creates. Under `observe` LiteLLM counts and resets, but has nothing to block at. */
export function fieldsOfNewKey(config: TenantConfig, now: Instant): LiteLlmFields {
  const limit = limitAt(config, now);
  const enforces = config.enforcement === "enforce";
  return {
    maxBudgetNanoUsd: enforces ? limit.blocksAtNanoUsd : null,
    softBudgetNanoUsd: enforces ? limit.alertsAtNanoUsd : null,
    budgetDuration: litellmDuration(config.budgetDuration),
    metadata: { tenant_id: config.tenantId, ...(isSuspended(config) && { [OWNERSHIP_MARKER]: config.tenantId }) },
    blocked: isSuspended(config),
  };
}

function isSuspended({ suspendedAt }: TenantConfig): boolean {
  return suspendedAt !== null;
}

/**
 * What to send so that LiteLLM has the wish. Under `observe` that is a subject which LiteLLM does not block for Bursar:
 * a key of ours has no max_budget, an adopted subject what it had before Bursar set limits.
 */
export function missingIn(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): Missing {
  const { config } = tenant;
  const marks = missingMarks(tenant, litellmRow);
  if (config.enforcement === "enforce") {
    const { fields, softBudget } = missingLimits(tenant, litellmRow, now);
    return { fields: { ...marks, ...fields }, softBudget };
  }
  const lifted = tenant.adopted
    ? missingPriorLimits(tenant, litellmRow)
    : {
        ...(litellmRow.own.maxBudgetNanoUsd !== null && { maxBudgetNanoUsd: null }),
        ...missingDuration(tenant, litellmRow),
      };
  return { fields: { ...marks, ...lifted }, softBudget: null };
}

/** True when LiteLLM blocks for Bursar, or is about to: to be noted before it is told. */
export function blocksForBursar(tenant: TenantRecord, litellmRow: LiteLlmRow): boolean {
  return isSuspended(tenant.config) && (!litellmRow.blocked || isOwnBlock(tenant, litellmRow));
}

/** A block that is neither marked nor noted is somebody else's, and stays. */
function isOwnBlock({ config, sync }: TenantRecord, { metadata }: LiteLlmRow): boolean {
  return sync.hasBlocked || metadata[OWNERSHIP_MARKER] === config.tenantId;
}

/** Whose the subject is, and whether it is blocked. */
function missingMarks(tenant: TenantRecord, litellmRow: LiteLlmRow): Partial<LiteLlmFields> {
  const { config } = tenant;
  const { tenantId } = config;
  const { [OWNERSHIP_MARKER]: mark, ...unmarked } = litellmRow.metadata;
  const blocks = isSuspended(config) && !litellmRow.blocked;
  const resumes = !isSuspended(config) && isOwnBlock(tenant, litellmRow);
  const before = resumes && mark === tenantId ? unmarked : litellmRow.metadata;
  const metadata: LiteLlmFields["metadata"] = {
    ...before,
    tenant_id: tenantId,
    ...(blocksForBursar(tenant, litellmRow) && { [OWNERSHIP_MARKER]: tenantId }),
  };
  const isSaid = [OWNERSHIP_MARKER, "tenant_id"].every((mark) => litellmRow.metadata[mark] === metadata[mark]);
  return {
    ...(!isSaid && { metadata }),
    ...(blocks && { blocked: true }),
    ...(resumes && litellmRow.blocked && { blocked: false }),
  };
}

function missingLimits(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): Missing {
  const { config } = tenant;
  const { blocksAtNanoUsd, alertsAtNanoUsd } = limitAt(config, now);
  const isTeam = config.subject.kind === "team";
  // LiteLLM refuses a team's soft budget that is not below its max_budget.
  const softBudget = isTeam && alertsAtNanoUsd >= blocksAtNanoUsd ? null : alertsAtNanoUsd;
  const lacksSoft = !isSame(litellmRow.softBudgetNanoUsd, softBudget);
  // Any other object may be shared, also one that somebody has linked our own key to since.
  const { budgetId } = tenant.sync;
  const isOwnObject = budgetId !== null && litellmRow.budgetId === budgetId;
  return {
    fields: {
      ...(!isSame(litellmRow.maxBudgetNanoUsd, blocksAtNanoUsd) && { maxBudgetNanoUsd: blocksAtNanoUsd }),
      ...(isTeam && lacksSoft && { softBudgetNanoUsd: softBudget }),
      ...missingDuration(tenant, litellmRow),
    },
    softBudget: isOwnObject && lacksSoft ? { budgetId, nanoUsd: alertsAtNanoUsd } : null,
  };
}

function missingDuration({ config }: TenantRecord, litellmRow: LiteLlmRow): Partial<LiteLlmFields> {
  const budgetDuration = litellmDuration(config.budgetDuration);
  return litellmRow.budgetDuration === budgetDuration ? {} : { budgetDuration };
}

/**
 * The updates in which LiteLLM takes the fields. A block comes first, with its mark and nothing else, so that no other
 * field that LiteLLM refuses is in its way. It compares a team's two budgets with each other, a null counting as
 * what it has already; so where one of them is cleared, the soft one goes first and comes back last.
 */
export function inSteps(fields: Partial<LiteLlmFields>): Partial<LiteLlmFields>[] {
  if (fields.blocked !== undefined) {
    const { blocked, metadata, ...others } = fields;
    return [{ blocked, ...(metadata !== undefined && { metadata }) }, ...inSteps(others)];
  }
  const { softBudgetNanoUsd, ...rest } = fields;
  const clears = softBudgetNanoUsd === null || (softBudgetNanoUsd !== undefined && rest.maxBudgetNanoUsd === null);
  const steps = clears
    ? [{ softBudgetNanoUsd: null }, rest, softBudgetNanoUsd === null ? {} : { softBudgetNanoUsd }]
    : [fields];
  return steps.filter((step) => Object.keys(step).length > 0);
}

/** What an adopted subject had itself, to be given back. What its budget object says is not the subject's. */
export function priorValuesOf({ own, softBudgetNanoUsd, metadata }: LiteLlmRow): PriorValues {
  const decimal = (amount: NanoUsd | null) => (amount === null ? null : decimalFromNanoUsd(amount));
  return {
    maxBudget: decimal(own.maxBudgetNanoUsd),
    softBudget: decimal(softBudgetNanoUsd),
    budgetDuration: own.budgetDuration,
    metadata,
  };
}

/** What to send to give an adopted subject back as it was. */
export function toRestore(tenant: TenantRecord, litellmRow: LiteLlmRow): Partial<LiteLlmFields> {
  const { config, priorValues } = tenant;
  if (priorValues === null) return {};
  const isMarked = [OWNERSHIP_MARKER, "tenant_id"].some((mark) => litellmRow.metadata[mark] === config.tenantId);
  return {
    ...missingPriorLimits(tenant, litellmRow),
    ...(isMarked && { metadata: withoutMarks(config, litellmRow, priorValues) }),
    ...(isOwnBlock(tenant, litellmRow) && litellmRow.blocked && { blocked: false }),
  };
}

/** Nothing when Bursar has set no limits: what LiteLLM has then is the work of somebody who manages it by hand. */
function missingPriorLimits(tenant: TenantRecord, litellmRow: LiteLlmRow): Partial<LiteLlmFields> {
  const { config, priorValues, sync } = tenant;
  if (priorValues === null || !sync.hasSetLimits) return {};
  const { budgetDuration } = priorValues;
  const maxBudget = amountOf(priorValues.maxBudget);
  const softBudget = amountOf(priorValues.softBudget);
  const lacksSoft = config.subject.kind === "team" && !isSame(litellmRow.softBudgetNanoUsd, softBudget);
  return {
    ...(!isSame(litellmRow.own.maxBudgetNanoUsd, maxBudget) && { maxBudgetNanoUsd: maxBudget }),
    ...(lacksSoft && { softBudgetNanoUsd: softBudget }),
    ...(litellmRow.own.budgetDuration !== budgetDuration && { budgetDuration }),
  };
}

/** Whatever else was written into the metadata meanwhile stays. */
function withoutMarks({ tenantId }: TenantConfig, litellmRow: LiteLlmRow, prior: PriorValues) {
  const { tenant_id: whose, [OWNERSHIP_MARKER]: _, ...others } = litellmRow.metadata;
  const before = whose === tenantId ? prior.metadata["tenant_id"] : whose;
  return before === undefined ? others : { ...others, tenant_id: before };
}

function isSame(a: NanoUsd | null, b: NanoUsd | null): boolean {
  return a === null || b === null ? a === b : sameOnTheWire(a, b);
}

function amountOf(decimal: string | null): NanoUsd | null {
  return decimal === null ? null : nanoUsdFromDecimal(decimal);
}
