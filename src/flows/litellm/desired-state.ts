// The desired state of a tenant's LiteLLM key or team, and the fields in which LiteLLM differs from it. Decides only.
// Names only fields that differ: sending `budget_duration` again would move LiteLLM's reset.

import type { Instant } from "../../budget/instant.ts";
import { limitAt } from "../../budget/limit.ts";
import { decimalFromNanoUsd, type NanoUsd, nanoUsdFromDecimal, sameOnTheWire } from "../../budget/money.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import type { LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";
import type { PriorValues, TenantRecord } from "../../records/tenant.ts";
import { litellmDuration } from "./litellm-duration.ts";
import { MARK } from "./mark.ts";

export interface Missing {
  /** Fields of the key or team. */
  readonly fields: Partial<LiteLlmFields>;
  /** The soft budget of the budget object that LiteLLM created with Bursar's key. */
  readonly softBudget: { readonly budgetId: string; readonly nanoUsd: NanoUsd } | null;
}

/**
 * Ownership marker: a metadata field of a subject that Bursar has blocked, holding the tenant id. Bursar never lifts a
 * block of another administrator. One update sets the block and the marker. An update that replaces the metadata drops
 * the marker, and an overlapping sync may do so; therefore Postgres notes the block too (`hasBlocked`), and either one
 * proves ownership.
 */
export const OWNERSHIP_MARKER = "bursar_blocked_for";

/**
 * The fields of a key that Bursar creates. Under `observe` the key has no max_budget: LiteLLM counts and resets only.
 */
export function fieldsOfNewKey(
  config: TenantConfig,
  { mark, othersNanoUsd }: { readonly mark: string; readonly othersNanoUsd: NanoUsd },
  now: Instant,
): LiteLlmFields {
  const limit = limitAt(config, now);
  const enforces = config.enforcement === "enforce";
  return {
    maxBudgetNanoUsd: enforces ? leftBy(othersNanoUsd, limit.blocksAtNanoUsd) : null,
    softBudgetNanoUsd: enforces ? leftBy(othersNanoUsd, limit.alertsAtNanoUsd) : null,
    budgetDuration: litellmDuration(config.budgetDuration),
    metadata: {
      tenant_id: config.tenantId,
      [MARK]: mark,
      ...(isSuspended(config) && { [OWNERSHIP_MARKER]: config.tenantId }),
    },
    blocked: isSuspended(config),
  };
}

/** A key's budget follows the spend of the tenant's other keys in steps of 1 % of the limit. */
const SHARE_OF_LIMIT = 100n;

function isSuspended({ suspendedAt }: TenantConfig): boolean {
  return suspendedAt !== null;
}

/**
 * The fields to send so that LiteLLM reaches the desired state. Under `observe` LiteLLM must not block for Bursar:
 * Bursar's own key has no max_budget, and an adopted subject has its limits from before Bursar set any. `mark` is the
 * mark that the row should have; null for a team.
 */
export function fieldsToSend(tenant: TenantRecord, litellmRow: LiteLlmRow, mark: string | null, now: Instant): Missing {
  const { config } = tenant;
  const markers = missingMarkers(tenant, litellmRow, mark);
  if (config.enforcement === "enforce") {
    const { fields, softBudget } = missingLimits(tenant, litellmRow, now);
    return { fields: { ...markers, ...fields }, softBudget };
  }
  const lifted = tenant.adopted
    ? missingPriorLimits(tenant, litellmRow)
    : {
        ...(litellmRow.own.maxBudgetNanoUsd !== null && { maxBudgetNanoUsd: null }),
        ...missingDuration(tenant, litellmRow),
      };
  return { fields: { ...markers, ...lifted }, softBudget: null };
}

/** The tenant as the desired state of one of its older keys. Bursar does not know the budget object of such a key. */
export function asOlderKey(tenant: TenantRecord, { subject }: LiteLlmRow): TenantRecord {
  return { ...tenant, config: { ...tenant.config, subject }, sync: { ...tenant.sync, budgetId: null } };
}

/**
 * True when LiteLLM blocks for Bursar, or the next update makes it. Postgres must note the block before that update.
 */
export function blocksForBursar(tenant: TenantRecord, litellmRow: LiteLlmRow): boolean {
  return isSuspended(tenant.config) && (!litellmRow.blocked || isOwnBlock(tenant, litellmRow));
}

/** A block without marker and without note belongs to another administrator, and stays. */
export function isOwnBlock({ config, sync }: TenantRecord, { metadata }: LiteLlmRow): boolean {
  return sync.hasBlocked || metadata[OWNERSHIP_MARKER] === config.tenantId;
}

/** The metadata that names the tenant, proves that Bursar wrote it, and names the block. */
function missingMarkers(tenant: TenantRecord, litellmRow: LiteLlmRow, mark: string | null): Partial<LiteLlmFields> {
  const { config } = tenant;
  const { tenantId } = config;
  const { [OWNERSHIP_MARKER]: marker, ...unmarked } = litellmRow.metadata;
  const blocks = isSuspended(config) && !litellmRow.blocked;
  const resumes = !isSuspended(config) && isOwnBlock(tenant, litellmRow);
  const before = resumes && marker === tenantId ? unmarked : litellmRow.metadata;
  const metadata: LiteLlmFields["metadata"] = {
    ...before,
    tenant_id: tenantId,
    ...(mark !== null && { [MARK]: mark }),
    ...(blocksForBursar(tenant, litellmRow) && { [OWNERSHIP_MARKER]: tenantId }),
  };
  const isMarked = [OWNERSHIP_MARKER, MARK, "tenant_id"].every((name) => litellmRow.metadata[name] === metadata[name]);
  return {
    ...(!isMarked && { metadata }),
    ...(blocks && { blocked: true }),
    ...(resumes && litellmRow.blocked && { blocked: false }),
  };
}

function missingLimits(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): Missing {
  const { config } = tenant;
  const { othersNanoUsd } = litellmRow;
  const limit = limitAt(config, now);
  const blocksAtNanoUsd = leftBy(othersNanoUsd, limit.blocksAtNanoUsd);
  const alertsAtNanoUsd = leftBy(othersNanoUsd, limit.alertsAtNanoUsd);
  // The share of the other keys moves with each of their calls, so that small differences are no drift.
  const slack = othersNanoUsd === 0n ? null : limit.limitNanoUsd / SHARE_OF_LIMIT;
  const isSame = (a: NanoUsd | null, b: NanoUsd | null) => isAmount(a, b, slack);
  const isTeam = config.subject.kind === "team";
  // LiteLLM refuses a team's soft budget that is not below its max_budget.
  const softBudget = isTeam && alertsAtNanoUsd >= blocksAtNanoUsd ? null : alertsAtNanoUsd;
  const lacksSoft = !isSame(litellmRow.softBudgetNanoUsd, softBudget);
  // Any other budget object may be shared, even one that an administrator has linked to Bursar's own key.
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
 * The updates that LiteLLM accepts, in order. A block comes first, with its marker alone, so that a field which LiteLLM
 * refuses cannot prevent it. LiteLLM compares a team's two budgets with each other and reads a null as its present
 * value; so when one of them is cleared, the soft budget is cleared first and set last.
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

/** An adopted subject's own values, to be restored on release. Values of its budget object are not included. */
export function priorValuesOf({ own, softBudgetNanoUsd, metadata }: LiteLlmRow): PriorValues {
  const decimal = (amount: NanoUsd | null) => (amount === null ? null : decimalFromNanoUsd(amount));
  return {
    maxBudget: decimal(own.maxBudgetNanoUsd),
    softBudget: decimal(softBudgetNanoUsd),
    budgetDuration: own.budgetDuration,
    metadata,
  };
}

/** The fields to send to restore an adopted subject to its prior values. */
export function toRestore(tenant: TenantRecord, litellmRow: LiteLlmRow): Partial<LiteLlmFields> {
  const { config, priorValues } = tenant;
  if (priorValues === null) return {};
  const names = [OWNERSHIP_MARKER, "tenant_id"].some((name) => litellmRow.metadata[name] === config.tenantId);
  const isMarked = names || litellmRow.metadata[MARK] !== undefined;
  return {
    ...missingPriorLimits(tenant, litellmRow),
    ...(isMarked && { metadata: withoutMarkers(config, litellmRow, priorValues) }),
    ...(isOwnBlock(tenant, litellmRow) && litellmRow.blocked && { blocked: false }),
  };
}

/** Empty when Bursar has set no limits: LiteLLM's values are then an administrator's own. */
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

/** Keeps all metadata that was added meanwhile. */
function withoutMarkers({ tenantId }: TenantConfig, litellmRow: LiteLlmRow, prior: PriorValues) {
  const { tenant_id: present, [OWNERSHIP_MARKER]: _block, [MARK]: _mark, ...others } = litellmRow.metadata;
  const before = present === tenantId ? prior.metadata["tenant_id"] : present;
  return before === undefined ? others : { ...others, tenant_id: before };
}

/** What the other keys of a tenant leave of an amount. */
function leftBy(othersNanoUsd: NanoUsd, amount: NanoUsd): NanoUsd {
  return othersNanoUsd >= amount ? 0n : amount - othersNanoUsd;
}

const isSame = (a: NanoUsd | null, b: NanoUsd | null): boolean => isAmount(a, b, null);

/** `slack`: how much the amounts may differ; null when they must be the same. */
function isAmount(a: NanoUsd | null, b: NanoUsd | null, slack: NanoUsd | null): boolean {
  if (a === null || b === null) return a === b;
  if (slack === null) return sameOnTheWire(a, b);
  // An amount of 0 blocks the key, and a small one does not.
  return (a === 0n) === (b === 0n) && (a > b ? a - b : b - a) < slack;
}

function amountOf(decimal: string | null): NanoUsd | null {
  return decimal === null ? null : nanoUsdFromDecimal(decimal);
}
