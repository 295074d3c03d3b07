// Creates a tenant in one statement: its row, its keys, the spend read at adoption and the line in the audit.
// Calls nothing but Postgres.

import { type SQL, sql } from "drizzle-orm";
import { decimalFromNanoUsd, percentNumber } from "../../../budget/money.ts";
import { Outage } from "../../../ports/outage.ts";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { Actor, NewTenant, TenantRecord } from "../../../records/tenant.ts";
import { auditInsert, lineOf } from "../audit/audit-insert.ts";
import { type Database, runStatement, violatedUnique } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { ledgerJson, ledgerRows, ledgerUpsert } from "./ledger-rows.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";

const TAKEN_BY: Readonly<Record<string, "tenant_taken" | "subject_taken">> = {
  tenant_configs_pkey: "tenant_taken",
  tenant_configs_subject_unique: "subject_taken",
  tenant_keys_pkey: "subject_taken",
};

export async function createTenant(
  database: Database,
  tenant: NewTenant,
  actor: Actor,
): Promise<Result<TenantRecord, "tenant_taken" | "subject_taken">> {
  const hashes = sql.join(
    tenant.keyHashes.map((hash) => sql`${hash}`),
    sql`, `,
  );
  const keys = tenant.keyHashes.length === 0 ? sql`'{}'` : sql`array[${hashes}]`;
  const spend =
    tenant.spend === null
      ? sql`select * from tenant_spend where false`
      : ledgerUpsert(
          sql`(select a.tenant_id, c.* from after a, ${ledgerRows([{ version: 0, ...ledgerJson(tenant.spend) }], sql`version bigint`)}) c`,
        );
  const statement = sql`with after as (${configInsert(tenant, actor)} returning *),
    keys as (insert into tenant_keys (key_hash, tenant_id, created_at)
      select hash, after.tenant_id, ${timestampOf(actor.now)} from after, unnest(${keys}::text[]) hash),
    spend as (${spend}),
    audit as (${auditInsert({ ...lineOf(actor, "tenant_created"), before: null })})
    ${selectTenants({ tenants: sql`after`, spends: sql`spend` })}`;
  try {
    const created = firstTenant(await runStatement(database, statement));
    if (created === null) throw new Error("the insert of a tenant returned no row");
    return success(created);
  } catch (error) {
    const taken = TAKEN_BY[violatedUnique(error) ?? ""];
    if (taken !== undefined) return failure(taken);
    const committed = error instanceof Outage ? await findCommitted(database, tenant) : null;
    if (committed === null) throw error;
    return success(committed);
  }
}

/**
 * The tenant whose insert Postgres committed although the answer was lost. The hash of a key that Bursar has just
 * created is unique. An adopted subject is not: another administrator may have adopted it at the same time.
 */
async function findCommitted(database: Database, { tenantId, subject, adopted }: NewTenant) {
  if (adopted) return null;
  const rows = await runStatement(
    database,
    sql`${selectTenants()} where t.tenant_id = ${tenantId} and t.subject_kind = ${subject.kind}
      and t.subject_id = ${subject.id} and t.deleted_at is null`,
  );
  return firstTenant(rows);
}

function configInsert(tenant: NewTenant, actor: Actor): SQL {
  const now = timestampOf(actor.now);
  const priorValues = tenant.priorValues === null ? null : JSON.stringify(tenant.priorValues);
  return sql`insert into tenant_configs (tenant_id, name, subject_kind, subject_id, max_budget, alert_threshold,
      grace_threshold, budget_duration, enforcement, fail_policy, budget_reset_at, subject_created_at, adopted,
      prior_values, sealed_key, mark_nonce, litellm_has_set_limits, litellm_sync, litellm_sync_since, created_at, updated_at)
    values (${tenant.tenantId}, ${tenant.name}, ${tenant.subject.kind}, ${tenant.subject.id},
      ${decimalFromNanoUsd(tenant.maxBudgetNanoUsd)}::numeric, ${percentNumber(tenant.alertThreshold)}::numeric,
      ${percentNumber(tenant.graceThreshold)}::numeric,
      ${tenant.budgetDuration}, ${tenant.enforcement}, ${tenant.failPolicy}, ${timestampOf(tenant.budgetResetAt)},
      ${timestampOf(tenant.subjectCreatedAt)}, ${tenant.adopted}, ${priorValues}::jsonb, ${tenant.encryptedKey},
      gen_random_uuid(),
      ${tenant.enforcement === "enforce"}, 'pending', ${now}, ${now}, ${now})`;
}
