// Creates a tenant in one statement: its row, its keys, the spend read at adoption and the line in the audit.
// Calls nothing but Postgres.

import { type SQL, sql } from "drizzle-orm";
import { decimalFromNanoUsd, percentNumber } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { failure, type Result, success } from "../../../ports/result.ts";
import type { Actor, MadeKey, NewTenant, OwnKey, TenantRecord } from "../../../records/tenant.ts";
import { auditInsert, creationSource, lineOf } from "../audit/audit-insert.ts";
import { createOnce, makeChange } from "../audit/make-change.ts";
import { type Database, violatedUnique } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { NEXT_REVISION } from "../settings-version.ts";
import { ledgerJson, ledgerRows, ledgerUpsert } from "./ledger-rows.ts";
import { pairsOf, pendingSync, refusalOf, updatedAt } from "./tenant-changes.ts";
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
): Promise<Result<TenantRecord, "tenant_taken" | "subject_taken" | "other_body">> {
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
  const line = { ...lineOf(actor, "tenant_created"), ...creationSource(actor, "tenant_created") };
  const inserted = sql`with after as (${configInsert(tenant, actor)} returning *),
    keys as (insert into tenant_keys (key_hash, tenant_id, created_at)
      select hash, after.tenant_id, ${timestampOf(actor.now)} from after, unnest(${keys}::text[]) hash),
    spend as (${spend}),
    audit as (${auditInsert({ ...line, before: null })})
    select from after`;
  try {
    const created = await createOnce(
      database,
      line,
      {
        statements: [inserted],
        outcome: (db) =>
          db.execute(sql`${selectTenants()} where t.deleted_at is null
            and t.tenant_id = (select tenant_id from audit_log where source_id = ${line.sourceId})`),
        read: ({ rows }) => firstTenant(rows),
      },
      actor.now,
    );
    if (!created.ok) return created;
    if (created.value === null) throw new Error("the insert of a tenant made no row");
    return success(created.value);
  } catch (error) {
    const taken = TAKEN_BY[violatedUnique(error) ?? ""];
    if (taken === undefined) throw error;
    return failure(taken);
  }
}

/**
 * Gives the tenant another key, unless it has had one since the operation made it, or the key was used: then that
 * one was shown. Null: it was. The keys are compared, so it does no harm to send this again.
 */
export async function replaceUnshownKey(
  database: Database,
  tenantId: TenantId,
  { keyHash, encryptedKey }: OwnKey,
  made: MadeKey,
  actor: Actor,
): Promise<TenantRecord | null> {
  const { sourceId: _, ...line } = lineOf(actor, "key_replaced");
  const now = timestampOf(actor.now);
  const replaced = sql`with before as (select t.* from tenant_configs t join audit_log l on l.tenant_id = t.tenant_id
        and l.source_id = ${creationSource(actor, made).sourceId} and l.after -> 'subject' ->> 'id' = t.subject_id
      where t.tenant_id = ${tenantId} and t.deleted_at is null
        and not exists (select from tenant_spend s where s.tenant_id = t.tenant_id and s.spend > 0)
        and not exists (select from counted_calls k where k.tenant_id = t.tenant_id) for no key update of t),
    gone as (delete from tenant_keys k using before b where k.key_hash = b.subject_id),
    spend as (delete from tenant_spend s using before b where s.tenant_id = b.tenant_id),
    after as (update tenant_configs t set subject_id = ${keyHash}, sealed_key = ${encryptedKey},
        subject_created_at = ${now}, subject_missing_at = null, litellm_blocked_at = null, litellm_budget_id = null, ${updatedAt(actor.now)},
        ${NEXT_REVISION}, ${pendingSync(sql`true`, actor)}
      from before b where t.tenant_id = b.tenant_id returning t.*),
    keys as (insert into tenant_keys (key_hash, tenant_id, created_at) select ${keyHash}, tenant_id, ${now} from after),
    audit as (${auditInsert(line)})
    select from after`;
  return makeChange(database, {
    statements: [replaced],
    outcome: (db) => db.execute(sql`${selectTenants()} where t.tenant_id = ${tenantId} and t.subject_id = ${keyHash}`),
    read: ({ rows }) => firstTenant(rows),
  });
}

function configInsert(tenant: NewTenant, actor: Actor): SQL {
  const now = timestampOf(actor.now);
  const priorValues = tenant.priorValues === null ? null : JSON.stringify(tenant.priorValues);
  return sql`insert into tenant_configs (tenant_id, name, subject_kind, subject_id, max_budget, alert_threshold,
      grace_threshold, budget_duration, enforcement, fail_policy, refusal, budget_reset_at, subject_created_at, adopted,
      prior_values, metadata, sealed_key, mark_nonce, litellm_has_set_limits, litellm_sync, litellm_sync_since, created_at, updated_at)
    values (${tenant.tenantId}, ${tenant.name}, ${tenant.subject.kind}, ${tenant.subject.id},
      ${decimalFromNanoUsd(tenant.maxBudgetNanoUsd)}::numeric, ${percentNumber(tenant.alertThreshold)}::numeric,
      ${percentNumber(tenant.graceThreshold)}::numeric,
      ${tenant.budgetDuration}, ${tenant.enforcement}, ${tenant.failPolicy}, ${refusalOf(tenant.refusal)},
      ${timestampOf(tenant.budgetResetAt)},
      ${timestampOf(tenant.subjectCreatedAt)}, ${tenant.adopted}, ${priorValues}::jsonb,
      ${pairsOf(tenant.metadata ?? {}, sql`'{}'::jsonb`)}, ${tenant.encryptedKey},
      gen_random_uuid(),
      ${tenant.enforcement === "enforce"}, 'pending', ${now}, ${now}, ${now})`;
}
