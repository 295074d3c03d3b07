// The key of a tenant that a request has created or restored: which key to show for it, once, and its first spend.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash } from "../../budget/tenant.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { Actor, MadeKey, OwnKey, TenantRecord } from "../../records/tenant.ts";
import { observeRead } from "../counting/observe.ts";
import type { SyncDeps, SyncResult } from "../litellm/sync-litellm.ts";

export interface TenantWithKey {
  /** `sync` says whether LiteLLM has it. */
  readonly tenant: TenantRecord;
  /** To show once; null for an adopted tenant, and for a key that an earlier request may have shown. */
  readonly virtualKey: string | null;
}

/** A key that this request has made. `keyHash` is the sha256 of `virtualKey`. */
export interface ShownKey extends OwnKey {
  readonly virtualKey: string;
}

/**
 * An earlier request gave the tenant a key that its caller never saw. While Postgres has that key it is shown now;
 * later only its hash is left, so the tenant gets the key of this request instead. `key` null: an adopted tenant.
 * `isUnanswered` false: an earlier request of the same operation may have shown the key.
 */
export async function withKeyToShow(
  found: TenantRecord,
  key: ShownKey | null,
  { made, isUnanswered, actor }: { made: MadeKey; isUnanswered: boolean; actor: Actor },
  deps: SyncDeps,
): Promise<TenantWithKey> {
  const { tenantId, subject } = found.config;
  if (key === null) return { tenant: found, virtualKey: null };
  const { virtualKey, keyHash, encryptedKey } = key;
  if (subject.id === keyHash) return { tenant: found, virtualKey };
  if (!isUnanswered) return { tenant: found, virtualKey: null };
  if (found.encryptedKey !== null) return { tenant: found, virtualKey: await deps.cipher.decrypt(found.encryptedKey) };
  const tenant = await deps.tenants.replaceUnshownKey(tenantId, { keyHash, encryptedKey }, made, actor);
  if (tenant === null) return { tenant: found, virtualKey: null };
  const deleted = await deps.litellm.deleteKey(subject.id as KeyHash);
  // That key was never shown, so it can stay.
  if (!deleted.ok) deps.log.warn("replaced key not deleted", { tenant_id: tenantId, why: deleted.failure.kind });
  return { tenant, virtualKey };
}

/** Records the spend that the sync read. Without one, the first check reads it. */
export async function withFirstSpend(
  created: TenantRecord,
  synced: SyncResult,
  now: Instant,
  deps: SyncDeps,
): Promise<TenantRecord> {
  if (synced.kind === "removed") return created;
  const { tenant } = synced;
  if (synced.kind === "pending" || tenant.spend !== null) return tenant;
  return withSpendOf(firstReadOf(synced.litellmRow, now), tenant, now, deps);
}

/** Records the spend that the row shows. */
export async function withSpendOf(
  litellmRow: LiteLlmRow,
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<TenantRecord> {
  const { tenantId } = tenant.config;
  try {
    return (await observeRead({ tenantId, ...litellmRow }, now, deps))?.tenant ?? tenant;
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
