// The kill switch and its release. Writes Postgres first, then publishes to the edge, syncs LiteLLM, and announces it.
// Idempotent: repeating it changes nothing, but republishes to KV and resyncs LiteLLM.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantRecord } from "../../records/tenant.ts";
import type { AnnounceChangeDeps } from "../alerts/announce-change.ts";
import { type NotChanged, whyNotChanged } from "./not-changed.ts";
import { type PublishChangeDeps, publishAgain, publishAndAnnounce } from "./publish-change.ts";

export type SwitchDeps = PublishChangeDeps & AnnounceChangeDeps;

export interface SwitchInput {
  readonly tenantId: TenantId;
  readonly actor: Actor;
}

/** The suspended tenant; `sync` says whether LiteLLM refuses its calls too. @throws when Postgres cannot be reached. */
export async function suspendTenant(input: SwitchInput, deps: SwitchDeps): Promise<Result<TenantRecord, NotChanged>> {
  return switchTenant(input, true, deps);
}

/**
 * Lifts Bursar's own block; a block that an administrator set in LiteLLM stays. @throws when Postgres cannot be
 * reached.
 */
export async function resumeTenant(input: SwitchInput, deps: SwitchDeps): Promise<Result<TenantRecord, NotChanged>> {
  return switchTenant(input, false, deps);
}

async function switchTenant(
  { tenantId, actor }: SwitchInput,
  isSuspended: boolean,
  deps: SwitchDeps,
): Promise<Result<TenantRecord, NotChanged>> {
  const { now } = actor;
  const switched = await deps.tenants.setSuspended(tenantId, isSuspended, actor);
  if (switched === null) return failure(await whyNotChanged(tenantId, actor, deps));
  const { tenant, auditId } = switched;
  if (auditId === null) return success(await publishAgain(tenant, now, deps));
  const eventType = isSuspended ? "tenant_suspended" : "tenant_resumed";
  return success(await publishAndAnnounce(tenant, { eventType, tenantId, auditId }, now, deps));
}
