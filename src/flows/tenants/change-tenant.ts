// An administrator changes a tenant. Writes Postgres first, then publishes to the edge, then syncs LiteLLM.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantChange, TenantRecord } from "../../records/tenant.ts";
import { type PublishChangeDeps, publishChange } from "./publish-change.ts";

export interface ChangeTenantInput {
  readonly tenantId: TenantId;
  readonly change: TenantChange;
  readonly actor: Actor;
}

/** The changed tenant; `sync` says whether LiteLLM has the change. @throws when Postgres cannot be reached. */
export async function changeTenant(
  { tenantId, change, actor }: ChangeTenantInput,
  deps: PublishChangeDeps,
): Promise<Result<TenantRecord, "not_found">> {
  const changed = await deps.tenants.change(tenantId, change, actor);
  return changed === null ? failure("not_found") : success(await publishChange(changed, actor.now, deps));
}
