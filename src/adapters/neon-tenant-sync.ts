// What LiteLLM answered to the wish, written down where the wish is. Never touches a wish that has changed meanwhile.

import { sql } from "drizzle-orm";
import type { TenantId } from "../budget/tenant.ts";
import type { SyncOutcome, TenantRecord } from "../tenant-record.ts";
import { timestampOf } from "./neon-audit.ts";
import { type Database, runStatement } from "./neon-client.ts";
import { firstTenant, selectTenants } from "./neon-tenant-rows.ts";

export async function recordTenantSync(
  database: Database,
  tenantId: TenantId,
  revision: number,
  outcome: SyncOutcome,
): Promise<TenantRecord | null> {
  const rows = await runStatement(
    database,
    sql`with after as (update tenant_configs t set ${outcome.status === "synced" ? taken(outcome) : waiting(outcome.error)}
      where t.tenant_id = ${tenantId} and t.revision = ${revision} returning t.*)
    ${selectTenants({ tenants: sql`after` })}`,
  );
  return firstTenant(rows);
}

function waiting(error: string) {
  return sql`litellm_sync = 'pending', litellm_sync_error = ${error},
    litellm_sync_since = case when t.litellm_sync = 'synced' then now() else t.litellm_sync_since end`;
}

/**
 * LiteLLM's end of the period is taken while ours is still ahead, or unknown. Once it has passed, a later one may mean
 * that LiteLLM has reset: that is a read's to find out, because then the period must advance with it.
 * LiteLLM's time of creation is taken for a key that we have just made; later it would move a period that has begun.
 */
function taken(outcome: SyncOutcome & { status: "synced" }) {
  const resetsAt = sql`case when t.budget_reset_at is null or t.budget_reset_at > ${timestampOf(outcome.readAt)}
    then ${timestampOf(outcome.resetsAt)} else t.budget_reset_at end`;
  const createdAt = sql`case when t.sealed_key is null then t.subject_created_at
    else coalesce(${timestampOf(outcome.subjectCreatedAt)}, t.subject_created_at) end`;
  return sql`litellm_sync = 'synced', litellm_sync_error = null,
    litellm_sync_since = case when t.litellm_sync = 'pending' then now() else t.litellm_sync_since end,
    litellm_budget_id = ${outcome.budgetId}, sealed_key = null,
    budget_reset_at = ${resetsAt}, subject_created_at = ${createdAt},
    revision = case when (t.budget_reset_at, t.subject_created_at) is distinct from (${resetsAt}, ${createdAt})
      then nextval('config_revision') else t.revision end`;
}
