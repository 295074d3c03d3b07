// Creates a tenant with a key of its own, or adopts a key or team that LiteLLM has. Writes Postgres first, then
// LiteLLM: a crash in between leaves a pending tenant that the sweep finishes, and never an unrecorded key.

import { DEFAULT_BUDGET, type KeyHash, type Subject, type TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, NewTenant, TenantChange, TenantRecord, TenantSettings } from "../../records/tenant.ts";
import { type PublishDeps, publishNewTenant } from "../edge/publish.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";
import { type TenantWithKey, withFirstSpend, withKeyToShow } from "./new-key.ts";
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

type Deps = PublishDeps & SyncDeps;

/**
 * The new tenant, or the one that an earlier request of the same operation created. @throws when Postgres cannot be
 * reached.
 */
export async function createTenant(
  input: CreateTenantInput,
  deps: Deps,
): Promise<Result<TenantWithKey, CreateTenantFailure>> {
  const { origin, actor } = input;
  const planned =
    origin.kind === "own_key"
      ? success(await ownTenant(input, origin, deps))
      : await planAdoption(input, origin.subject, deps);
  if (!planned.ok) return planned;
  const created = await deps.tenants.create(planned.value, actor);
  if (!created.ok) return failure({ kind: created.failure });

  const { tenant: desired, virtualKey } = await showKey(created.value, planned.value.encryptedKey, input, deps);
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

/** The key of this request, or of an earlier one of the same operation. */
function showKey(
  found: TenantRecord,
  encryptedKey: string | null,
  { origin, isUnanswered, actor }: CreateTenantInput,
  deps: Deps,
): Promise<TenantWithKey> {
  const key = origin.kind === "adopted" || encryptedKey === null ? null : { ...origin, encryptedKey };
  return withKeyToShow(found, key, { made: "tenant_created", isUnanswered, actor }, deps);
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
 * Deletes the tenant that LiteLLM refused, and its row, because it has no history. When that fails it stays as a
 * pending or a deleted tenant; the caller gets the refusal anyway.
 */
async function rollBack(created: TenantRecord, actor: Actor, deps: Deps): Promise<void> {
  try {
    const deleted = await deps.tenants.markDeleted(created.config.tenantId, actor);
    if (deleted === null) return;
    const released = await trySyncLiteLlm(deleted, actor.now, deps);
    if (released.kind === "removed") await deps.tenants.remove(created.config.tenantId);
  } catch (error) {
    deps.log.error("refused tenant rollback failed", error, { tenant_id: created.config.tenantId });
  }
}
