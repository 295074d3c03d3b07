// An administrator changes a tenant: in Postgres first, then at the edge, then in LiteLLM. LiteLLM being away delays
// its part, never the change.

import type { TenantId } from "../budget/tenant.ts";
import type { Actor, TenantChange, TenantRecord } from "../records/tenant-record.ts";
import { failure, type Result, success } from "../result.ts";
import { type PublishDeps, publishConfig } from "./publish-config.ts";
import { type SyncDeps, trySyncLiteLlm } from "./sync-litellm.ts";

export interface ChangeTenantInput {
  readonly tenantId: TenantId;
  readonly change: TenantChange;
  readonly actor: Actor;
}

/** The tenant as it now is; its `sync` says whether LiteLLM has it too. @throws when Postgres cannot be reached. */
export async function changeTenant(
  { tenantId, change, actor }: ChangeTenantInput,
  deps: PublishDeps & SyncDeps,
): Promise<Result<TenantRecord, "not_found">> {
  const changed = await deps.tenants.change(tenantId, change, actor);
  if (changed === null) return failure("not_found");
  await publishConfig(changed, actor.now, deps);
  if (changed.sync.status === "synced") return success(changed);
  // The change is made, whatever becomes of its way to LiteLLM.
  const synced = await trySyncLiteLlm(changed, actor.now, deps);
  if (synced.kind === "removed") return success(changed);
  // LiteLLM's answer may have moved the end of the period.
  if (synced.tenant.config.revision > changed.config.revision) await publishConfig(synced.tenant, actor.now, deps);
  return success(synced.tenant);
}
