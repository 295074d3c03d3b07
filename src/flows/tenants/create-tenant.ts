// Creates a tenant with a key of its own, or adopts a key or team that LiteLLM has. Writes Postgres first, then
// LiteLLM: a crash in between leaves a pending tenant that the sweep finishes, and never an unrecorded key.

import type { Instant } from "../../budget/instant.ts";
import { DEFAULT_BUDGET, type KeyHash, type Subject, type TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { Actor, NewTenant, TenantChange, TenantRecord, TenantSettings } from "../../records/tenant.ts";
import { observeRead } from "../counting/observe.ts";
import { type PublishDeps, publishNewTenant } from "../edge/publish.ts";
import { type SyncDeps, type SyncResult, trySyncLiteLlm } from "../litellm/sync-litellm.ts";
import { type AdoptionFailure, planAdoption } from "./plan-adoption.ts";

export interface CreateTenantInput {
  readonly tenantId: TenantId;
  /** The administrator's settings. The rest comes from LiteLLM (when adopting) or from the defaults. */
  readonly settings: TenantChange;
  readonly origin: TenantOrigin;
  readonly actor: Actor;
  /** False when an earlier request of the same operation may have shown the key. */
  readonly isUnanswered: boolean;
}

export type TenantOrigin =
  /** `keyHash` is the sha256 of `virtualKey`. */
  | { readonly kind: "own_key"; readonly virtualKey: string; readonly keyHash: KeyHash }
  | { readonly kind: "adopted"; readonly subject: Subject };

export type CreateTenantFailure =
  | { readonly kind: "tenant_taken" }
  | { readonly kind: "subject_taken" }
  /** An earlier request of the same operation created something else. */
  | { readonly kind: "other_body" }
  /** `litellm_refused`: nothing was created, or the tenant was deleted again. */
  | AdoptionFailure;

export interface CreatedTenant {
  /** `sync` says whether LiteLLM has it. */
  readonly tenant: TenantRecord;
  /** To show once; null for an adopted tenant, and for a key that an earlier request may have shown. */
  readonly virtualKey: string | null;
}

type Deps = PublishDeps & SyncDeps;

/**
 * The new tenant, or the one that an earlier request of the same operation created. @throws when Postgres cannot be
 * reached.
 */
export async function createTenant(
  input: CreateTenantInput,
  deps: Deps,
): Promise<Result<CreatedTenant, CreateTenantFailure>> {
  const { origin, actor } = input;
  const planned =
    origin.kind === "own_key"
      ? success(await ownTenant(input, origin, deps))
      : await planAdoption(input, origin.subject, deps);
  if (!planned.ok) return planned;
  const created = await deps.tenants.create(planned.value, actor);
  if (!created.ok) return failure({ kind: created.failure });

  const { tenant: desired, virtualKey } = await withKeyToShow(created.value, planned.value, input, deps);
  // The tenant exists from here on: a failure leaves it pending, and the caller must still see its key.
  const synced = await trySyncLiteLlm(desired, actor.now, deps);
  if (synced.kind === "pending" && synced.failure.kind === "refused") {
    // The tenant of an earlier request lives, and may be in use.
    if (desired.createdAt === actor.now) await rollBack(desired, actor, deps);
    const { status, message } = synced.failure;
    return failure({ kind: "litellm_refused", status, message });
  }
  const tenant = await withFirstSpend(desired, synced, actor.now, deps);
  await publishNewTenant(tenant, actor.now, deps);
  return success({ tenant, virtualKey });
}

/**
 * An earlier request created the tenant with a key that its caller never saw. While Postgres has that key it is shown
 * now; later only its hash is left, so the tenant gets the key of this request instead.
 */
async function withKeyToShow(
  found: TenantRecord,
  { encryptedKey }: NewTenant,
  { origin, isUnanswered, actor }: CreateTenantInput,
  deps: Deps,
): Promise<CreatedTenant> {
  const { tenantId, subject } = found.config;
  if (origin.kind === "adopted" || encryptedKey === null) return { tenant: found, virtualKey: null };
  const { virtualKey, keyHash } = origin;
  if (subject.id === keyHash) return { tenant: found, virtualKey };
  if (!isUnanswered) return { tenant: found, virtualKey: null };
  if (found.encryptedKey !== null) return { tenant: found, virtualKey: await deps.cipher.decrypt(found.encryptedKey) };
  const tenant = await deps.tenants.replaceUnshownKey(tenantId, { keyHash, encryptedKey }, actor);
  if (tenant === null) return { tenant: found, virtualKey: null };
  const deleted = await deps.litellm.deleteKey(subject.id as KeyHash);
  // That key was never shown, so it can stay.
  if (!deleted.ok) deps.log.warn("replaced key not deleted", { tenant_id: tenantId, why: deleted.failure.kind });
  return { tenant, virtualKey };
}

async function ownTenant(
  { tenantId, settings, actor }: CreateTenantInput,
  { virtualKey, keyHash }: TenantOrigin & { kind: "own_key" },
  { cipher }: Deps,
): Promise<NewTenant> {
  return {
    ...withDefaults(settings),
    tenantId,
    subject: { kind: "key", id: keyHash },
    keyHashes: [keyHash],
    subjectCreatedAt: actor.now,
    budgetResetAt: null,
    adopted: false,
    priorValues: null,
    encryptedKey: await cipher.encrypt(virtualKey),
    spend: null,
  };
}

function withDefaults(settings: TenantChange): TenantSettings {
  return { name: null, failPolicy: null, refusal: null, ...DEFAULT_BUDGET, ...settings };
}

/**
 * Deletes the tenant that LiteLLM refused. When that fails it stays as a pending tenant; the caller gets the refusal
 * anyway.
 */
async function rollBack(created: TenantRecord, actor: Actor, deps: Deps): Promise<void> {
  try {
    const deleted = await deps.tenants.markDeleted(created.config.tenantId, actor);
    if (deleted !== null) await trySyncLiteLlm(deleted, actor.now, deps);
  } catch (error) {
    deps.log.error("refused tenant rollback failed", error, { tenant_id: created.config.tenantId });
  }
}

/** Records the spend that the sync read. Without one, the first check reads it. */
async function withFirstSpend(
  created: TenantRecord,
  synced: SyncResult,
  now: Instant,
  deps: Deps,
): Promise<TenantRecord> {
  if (synced.kind === "removed") return created;
  const { tenant } = synced;
  if (synced.kind === "pending" || tenant.spend !== null) return tenant;
  const { tenantId } = tenant.config;
  try {
    return (await observeRead({ tenantId, ...firstReadOf(synced.litellmRow, now) }, now, deps))?.tenant ?? tenant;
  } catch (error) {
    deps.log.error("first spend record failed", error, { tenant_id: tenantId });
    return tenant;
  }
}

/** Longer than LiteLLM's clock may differ from Bursar's, on top of the same margin of every read. */
const BEFORE_MS = 10_000;

/**
 * The read of a key that Bursar has just made. No call of the key ended before, so every call from now on counts on top
 * of a zero, also one that ends within the seconds in which other reads may or may not contain it.
 */
function firstReadOf(litellmRow: LiteLlmRow, now: Instant): LiteLlmRow {
  return { ...litellmRow, answeredAt: now - BEFORE_MS };
}
