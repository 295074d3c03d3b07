// An administrator brings a deleted tenant back. Writes Postgres first, then LiteLLM: a crash in between leaves a
// pending tenant that the sweep finishes, as after a creation.

import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { scheduledReadMessage } from "../../ports/messages.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import { type PublishDeps, publishNewTenant } from "../edge/publish.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";
import { RECHECK_SECONDS } from "../spend/scheduled-read.ts";
import { type CreatedTenant, withFirstSpend, withKeyToShow, withSpendOf } from "./new-key.ts";

export interface RestoreTenantInput {
  readonly tenantId: TenantId;
  /** The key of a tenant that had one of its own; not used for an adopted one. */
  readonly virtualKey: string;
  readonly keyHash: KeyHash;
  readonly actor: Actor;
  /** False when an earlier request of the same operation may have shown the key. */
  readonly isUnanswered: boolean;
}

export type RestoreFailure =
  | "not_found"
  /** It was deleted in another version than the caller accepts. */
  | "other_version"
  /** The tenant lives. */
  | "not_deleted"
  /** LiteLLM still has keys of the tenant, and cannot be reached to delete them. */
  | "unreleased"
  /** Another tenant has the key or team by now. */
  | "subject_taken"
  /** An earlier request of the same operation restored another tenant. */
  | "other_body";

type Deps = PublishDeps & SyncDeps;

/**
 * The restored tenant, with its new key unless it was adopted. What is not reached now, the sweep repeats. @throws when
 * Postgres cannot be reached.
 */
export async function restoreTenant(
  { tenantId, virtualKey, keyHash, actor, isUnanswered }: RestoreTenantInput,
  deps: Deps,
): Promise<Result<CreatedTenant, RestoreFailure>> {
  const { now } = actor;
  const deleted = await deps.tenants.loadEvenDeleted(tenantId);
  if (deleted === null) return failure("not_found");
  if (isUnreleased(deleted)) await trySyncLiteLlm(deleted, now, deps);
  const key = { keyHash, encryptedKey: await deps.cipher.encrypt(virtualKey) };
  const restored = await deps.tenants.restore(tenantId, key, actor);
  if (!restored.ok) return restored;
  if (restored.value === null) return failure(await whyNotRestored(deleted, actor, deps));
  const { adopted } = restored.value;
  const toShow = adopted ? null : { virtualKey, ...key };
  const shown = await withKeyToShow(restored.value, toShow, { made: "tenant_restored", isUnanswered, actor }, deps);
  const synced = await trySyncLiteLlm(shown.tenant, now, deps);
  const first = await withFirstSpend(shown.tenant, synced, now, deps);
  // LiteLLM has gone on counting for an adopted tenant.
  const tenant = adopted && synced.kind === "synced" ? await withSpendOf(synced.litellmRow, first, now, deps) : first;
  await publishNewTenant(tenant, now, deps);
  await readSoon(tenant.config, deps);
  return success({ tenant, virtualKey: shown.virtualKey });
}

/** LiteLLM may still have its keys, so that a new one would not be the only one. */
function isUnreleased({ deletedAt, sync, adopted }: TenantRecord): boolean {
  return deletedAt !== null && sync.status === "pending" && !adopted;
}

async function whyNotRestored(
  { config, settingsVersion }: TenantRecord,
  { operation }: Actor,
  { tenants }: Deps,
): Promise<RestoreFailure> {
  if ((await tenants.load(config.tenantId)) !== null) return "not_deleted";
  return operation.ifVersion?.includes(settingsVersion) === false ? "other_version" : "unreleased";
}

/** The consumer then compares the spend with the limits. */
async function readSoon(config: TenantConfig, { spendQueue, log }: Deps): Promise<void> {
  try {
    await spendQueue.send(scheduledReadMessage(config, "recheck-20s"), RECHECK_SECONDS);
  } catch (cause) {
    log.error("scheduled read enqueue failed", cause, { tenant_id: config.tenantId });
  }
}
