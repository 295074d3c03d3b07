// An administrator changes a tenant: in Postgres first, then at the edge, then in LiteLLM. LiteLLM being away delays
// its part, never the change.

import type { TenantId } from "../budget/tenant.ts";
import { failure, type Result, success } from "../result.ts";
import type { Actor, TenantChange, TenantRecord } from "../tenant-record.ts";
import { type PublishDeps, publishConfig } from "./publish-config.ts";
import { type SyncDeps, syncLiteLlm } from "./sync-litellm.ts";

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
  return success(await syncChanged(changed, actor, deps));
}

/** The change is made, whatever becomes of its way to LiteLLM: the sweep finds what is pending. */
async function syncChanged(changed: TenantRecord, { now }: Actor, deps: SyncDeps): Promise<TenantRecord> {
  const { tenantId } = changed.config;
  try {
    const synced = await syncLiteLlm({ tenantId, now }, deps);
    return synced.kind === "removed" ? changed : synced.tenant;
  } catch (error) {
    deps.log.error("could not sync a changed tenant", error, { tenant_id: tenantId });
    return changed;
  }
}
