// An administrator deletes a tenant. For agents it is gone at once. The sweep goes on until LiteLLM has released the
// key or team, so that no key is left behind; its row and its history stay for KEEP_DELETED_MS.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor } from "../../records/tenant.ts";
import { type PublishDeps, publishDeletion, publishKeys } from "../edge/publish.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";
import { type NotChanged, whyNotChanged } from "./not-changed.ts";

/** `pending`: LiteLLM has not released the tenant yet; the sweep retries. @throws when Postgres cannot be reached. */
export async function deleteTenant(
  { tenantId, actor }: { tenantId: TenantId; actor: Actor },
  deps: PublishDeps & SyncDeps,
): Promise<Result<"deleted" | "pending", NotChanged>> {
  const deleted = await deps.tenants.markDeleted(tenantId, actor);
  if (deleted === null) return failure(await whyNotChanged(tenantId, actor, deps));
  await publishDeletion(deleted, actor.now, deps);
  const keyHashes = deleted.config.otherKeys.map(({ hash }) => hash);
  await publishKeys({ keyHashes, tenantId: null, now: actor.now }, deps);
  const synced = await trySyncLiteLlm(deleted, actor.now, deps);
  return success(synced.kind === "removed" ? "deleted" : "pending");
}
