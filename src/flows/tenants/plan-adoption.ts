// Plans the adoption of a key or team that LiteLLM already has: LiteLLM's settings unless the administrator gave
// others, the spend so far, and the prior values to restore on release. Reads LiteLLM, changes nothing.

import { replaceLedger } from "../../budget/counting.ts";
import type { Instant } from "../../budget/instant.ts";
import { DEFAULT_BUDGET, type Subject, type TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { Actor, NewTenant, TenantChange, TenantSettings } from "../../records/tenant.ts";
import { priorValuesOf } from "../litellm/desired-state.ts";
import { isKeptByLiteLlm } from "../litellm/litellm-duration.ts";

export type AdoptionFailure =
  /** The key is a tenant's: LiteLLM has regenerated it, so that Postgres does not know its new hash yet. */
  | { readonly kind: "subject_taken" }
  /** LiteLLM does not know the key or team to adopt. */
  | { readonly kind: "subject_not_found" }
  | { readonly kind: "litellm_refused"; readonly status: number; readonly message: string }
  /** LiteLLM has no budget for the subject, and Bursar does not enforce a default that no administrator chose. */
  | { readonly kind: "no_max_budget" }
  /** An adoption needs LiteLLM's settings. Nothing was created. */
  | { readonly kind: "litellm_unreachable"; readonly why: string };

interface Adoption {
  readonly tenantId: TenantId;
  readonly settings: TenantChange;
}

/** An administrator waits for the answer. */
const TRIES = 2;

export async function planAdoption(
  { tenantId, settings, actor }: Adoption & { readonly actor: Actor },
  subject: Subject,
  { litellm, tenants }: Pick<Ports, "litellm" | "tenants">,
): Promise<Result<NewTenant, AdoptionFailure>> {
  const read = await litellm.readSubject(subject, { tries: TRIES });
  if (!read.ok) return failure(failureOf(read.failure));
  if (await isOfOther(tenantId, read.value, tenants)) return failure({ kind: "subject_taken" });
  return adoptionOf({ tenantId, settings, now: actor.now }, subject, read.value);
}

/**
 * True when the row is that of another living tenant: it has the tenant's label and the creation time of its key or
 * team. A label alone proves nothing, because a platform may have given it to several keys. Adopting such a row would
 * take the block threshold that Bursar has set as the new limit.
 */
async function isOfOther(
  tenantId: TenantId,
  { metadata, createdAt, subject }: LiteLlmRow,
  tenants: Ports["tenants"],
): Promise<boolean> {
  const label = metadata["tenant_id"];
  if (typeof label !== "string" || label === tenantId || createdAt === null) return false;
  const tenant = await tenants.load(label as TenantId);
  return tenant?.config.subject.kind === subject.kind && tenant.config.subjectCreatedAt === createdAt;
}

/** The tenant to create for a LiteLLM row. Pure. */
export function adoptionOf(
  { tenantId, settings, now }: Adoption & { readonly now: Instant },
  subject: Subject,
  litellmRow: LiteLlmRow,
): Result<NewTenant, { readonly kind: "no_max_budget" }> {
  const subjectCreatedAt = litellmRow.createdAt ?? now;
  const planned = { ...settingsFrom(litellmRow), ...settings };
  const hasBudget = litellmRow.maxBudgetNanoUsd !== null || settings.maxBudgetNanoUsd !== undefined;
  if (planned.enforcement === "enforce" && !hasBudget) return failure({ kind: "no_max_budget" });
  return success({
    ...planned,
    tenantId,
    subject,
    keyHashes: subject.kind === "key" ? [subject.id] : [],
    subjectCreatedAt,
    budgetResetAt: litellmRow.resetsAt,
    adopted: true,
    priorValues: priorValuesOf(litellmRow),
    encryptedKey: null,
    spend: replaceLedger(null, litellmRow, subjectCreatedAt, 0n),
  });
}

/** LiteLLM's own settings. A duration that LiteLLM accepts but cannot keep becomes the default. */
function settingsFrom({ maxBudgetNanoUsd, budgetDuration }: LiteLlmRow): TenantSettings {
  return {
    ...DEFAULT_BUDGET,
    name: null,
    failPolicy: null,
    refusal: null,
    ...(maxBudgetNanoUsd !== null && { maxBudgetNanoUsd }),
    ...(isKeptByLiteLlm(budgetDuration) && { budgetDuration }),
  };
}

function failureOf(reason: LiteLlmFailure): AdoptionFailure {
  switch (reason.kind) {
    case "not_found":
      return { kind: "subject_not_found" };
    case "refused":
      return { kind: "litellm_refused", status: reason.status, message: reason.message };
    case "unreachable":
      return { kind: "litellm_unreachable", why: reason.why };
  }
}
