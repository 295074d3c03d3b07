// The kill switch, and its release: in Postgres first, then at the edge and in LiteLLM, and people hear of it.
// Whoever asks for what is so already changes nothing, and has the edge and LiteLLM told again.

import type { TenantId } from "../../budget/tenant.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { Actor, TenantRecord } from "../../records/tenant-record.ts";
import type { AnnounceChangeDeps } from "../alerts/announce-change.ts";
import { type PublishChangeDeps, publishAgain, publishNews } from "./publish-change.ts";

export type SwitchDeps = PublishChangeDeps & AnnounceChangeDeps;

export interface SwitchInput {
  readonly tenantId: TenantId;
  readonly actor: Actor;
}

/** The tenant as it now is; its `sync` says whether LiteLLM refuses too. @throws when Postgres cannot be reached. */
export async function suspendTenant(input: SwitchInput, deps: SwitchDeps): Promise<Result<TenantRecord, "not_found">> {
  return switchTenant(input, true, deps);
}

/** A block that LiteLLM had from somebody else stays. @throws when Postgres cannot be reached. */
export async function resumeTenant(input: SwitchInput, deps: SwitchDeps): Promise<Result<TenantRecord, "not_found">> {
  return switchTenant(input, false, deps);
}

async function switchTenant(
  { tenantId, actor }: SwitchInput,
  isSuspended: boolean,
  deps: SwitchDeps,
): Promise<Result<TenantRecord, "not_found">> {
  const { now } = actor;
  const switched = await deps.tenants.setSuspended(tenantId, isSuspended, actor);
  if (switched === null) return failure("not_found");
  const { tenant, auditId } = switched;
  if (auditId === null) return success(await publishAgain(tenant, now, deps));
  const eventType = isSuspended ? "tenant_suspended" : "tenant_resumed";
  return success(await publishNews(tenant, { eventType, tenantId, auditId }, now, deps));
}
