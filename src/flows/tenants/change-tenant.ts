// An administrator changes a tenant. Writes Postgres first, then publishes to the edge, then syncs LiteLLM.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantChange, TenantRecord } from "../../records/tenant.ts";
import { type NotChanged, whyNotChanged } from "./not-changed.ts";
import { type PublishChangeDeps, publishChange } from "./publish-change.ts";

export interface ChangeTenantInput {
  readonly tenantId: TenantId;
  readonly change: TenantChange;
  readonly actor: Actor;
}

export type ChangeTenantFailure = NotChanged | "too_many_pairs";

export const MAX_PAIRS = 20;

/** Two changes at once may exceed it together, which does no harm. */
async function hasTooManyPairs(
  tenantId: TenantId,
  pairs: NonNullable<TenantChange["metadata"]>,
  { tenants }: Pick<PublishChangeDeps, "tenants">,
): Promise<boolean> {
  const present = (await tenants.load(tenantId))?.metadata ?? {};
  return Object.values({ ...present, ...pairs }).filter((text) => text !== null).length > MAX_PAIRS;
}

/** The changed tenant; `sync` says whether LiteLLM has the change. @throws when Postgres cannot be reached. */
export async function changeTenant(
  { tenantId, change, actor }: ChangeTenantInput,
  deps: PublishChangeDeps,
): Promise<Result<TenantRecord, ChangeTenantFailure>> {
  if (change.metadata !== undefined && (await hasTooManyPairs(tenantId, change.metadata, deps))) {
    return failure("too_many_pairs");
  }
  const changed = await deps.tenants.change(tenantId, change, actor);
  return changed === null
    ? failure(await whyNotChanged(tenantId, actor, deps))
    : success(await publishChange(changed, actor.now, deps));
}
