// An administrator deletes a tenant. It is gone for every reader at once; its row waits until LiteLLM's side is undone,
// so that a key is never left behind unseen.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor } from "../../records/tenant.ts";
import { type PublishDeps, publishDeletion } from "../edge/publish-config.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";

/** `pending`: LiteLLM still has to be told, which the sweep does. @throws when Postgres cannot be reached. */
export async function deleteTenant(
  { tenantId, actor }: { tenantId: TenantId; actor: Actor },
  deps: PublishDeps & SyncDeps,
): Promise<Result<"deleted" | "pending", "not_found">> {
  const deleted = await deps.tenants.markDeleted(tenantId, actor);
  if (deleted === null) return failure("not_found");
  await publishDeletion(deleted, actor.now, deps);
  const synced = await trySyncLiteLlm(deleted, actor.now, deps);
  return success(synced.kind === "removed" ? "deleted" : "pending");
}
