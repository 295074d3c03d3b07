// Deletes a tenant, and restores it while its history is kept. Each is one statement that locks, changes and audits. A
// deleted tenant is in one of two states: its sync is pending until LiteLLM has released its key or team, and synced
// from then on. Calls nothing but Postgres.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import { failure, type Result } from "../../../ports/result.ts";
import type { Actor, OwnKey, TenantRecord } from "../../../records/tenant.ts";
import { auditInsert, creationSource, lineOf } from "../audit/audit-insert.ts";
import { createOnce, makeChange } from "../audit/make-change.ts";
import { type Database, runStatement, violatedUnique } from "../client.ts";
import { isAccepted, NEXT_VERSION } from "../config-version.ts";
import { timestampOf } from "../instants.ts";
import { livingTenant, lockTenant, pendingSync, updatedAt } from "./tenant-changes.ts";
import { firstTenant, selectTenants } from "./tenant-rows.ts";

/**
 * Frees the newest key at once. Id, subject and older keys stay taken until LiteLLM has released them. Notices that
 * wait are not sent any more.
 */
export async function markTenantDeleted(
  database: Database,
  tenantId: TenantId,
  actor: Actor,
): Promise<TenantRecord | null> {
  const line = lineOf(actor, "tenant_deleted");
  const at = timestampOf(actor.now);
  const deleted = sql`with before as (${lockTenant(tenantId, actor)}),
    keys as (delete from tenant_keys k using before where k.tenant_id = before.tenant_id and k.key_hash = before.subject_id),
    notices as (update notice_deliveries d
      set status = 'skipped', last_error = ${TENANT_DELETED}, next_attempt_at = null, digest_at = null, updated_at = ${at}
      from budget_alert_history a, before
      where a.tenant_id = before.tenant_id and d.alert_id = a.id and d.status = 'pending'),
    after as (update tenant_configs t
      set deleted_at = ${at}, ${updatedAt(actor.now)}, ${NEXT_VERSION}, ${pendingSync(sql`true`, actor)}
      from before where t.tenant_id = before.tenant_id returning t.*),
    audit as (${auditInsert(line)})
    select from before`;
  return makeChange(database, {
    statements: [deleted],
    outcome: (db) =>
      db.execute(sql`${selectTenants()} where t.tenant_id = ${tenantId} and t.deleted_at is not null
        and exists (select from audit_log where source_id = ${line.sourceId})`),
    read: ({ rows }) => firstTenant(rows),
  });
}

const TENANT_DELETED = "the tenant was deleted";

/** Frees the subject and the older keys. False when the tenant was restored since `revision`. */
export async function recordRelease(
  database: Database,
  tenantId: TenantId,
  revision: number,
  now: Instant,
): Promise<boolean> {
  const at = timestampOf(now);
  const rows = await runStatement(
    database,
    sql`with released as (update tenant_configs t
      set litellm_sync = 'synced', litellm_sync_error = null, litellm_sync_since = ${at}, litellm_sync_tried_at = ${at},
        litellm_sync_tries = 0, litellm_budget_id = null, litellm_has_set_limits = false, litellm_has_blocked = false,
        sealed_key = null, read_leased_until = null
      where t.tenant_id = ${tenantId} and t.revision = ${revision} and t.deleted_at is not null returning t.tenant_id),
    keys as (delete from tenant_keys k using released r where k.tenant_id = r.tenant_id)
    select from released`,
  );
  return rows.length > 0;
}

export async function removeTenant(database: Database, tenantId: TenantId): Promise<void> {
  await runStatement(
    database,
    sql`delete from tenant_configs where tenant_id = ${tenantId} and deleted_at is not null`,
  );
}

/**
 * Brings back a deleted tenant. One with keys of its own gets `key` once LiteLLM has released the others, and begins
 * anew: another key has its own period, and no spend. An adopted one goes on with its subject and its spend.
 */
export async function restoreTenant(
  database: Database,
  tenantId: TenantId,
  key: OwnKey,
  actor: Actor,
): Promise<Result<TenantRecord | null, "subject_taken" | "other_body">> {
  const line = { ...lineOf(actor, "tenant_restored"), ...creationSource(actor, "tenant_restored") };
  try {
    return await createOnce(
      database,
      line,
      {
        statements: [restoration(tenantId, key, actor, auditInsert(line))],
        outcome: (db) =>
          db.execute(sql`${livingTenant(tenantId)}
            and exists (select from audit_log l where l.source_id = ${line.sourceId} and l.tenant_id = t.tenant_id)`),
        read: ({ rows }) => firstTenant(rows),
      },
      actor.now,
    );
  } catch (error) {
    const violated = violatedUnique(error);
    if (violated === "tenant_configs_subject_unique" || violated === "tenant_keys_pkey")
      return failure("subject_taken");
    throw error;
  }
}

function restoration(tenantId: TenantId, { keyHash, encryptedKey }: OwnKey, actor: Actor, audit: SQL): SQL {
  const now = timestampOf(actor.now);
  const own = (value: SQL, adopted: SQL) => sql`case when t.adopted then ${adopted} else ${value} end`;
  return sql`with before as (select * from tenant_configs where tenant_id = ${tenantId} and deleted_at is not null
      and (adopted or litellm_sync = 'synced') and ${isAccepted(actor)} for no key update),
    renewed as (select * from before where not adopted),
    spend as (delete from tenant_spend s using renewed b where s.tenant_id = b.tenant_id),
    calls as (delete from counted_calls c using renewed b where c.tenant_id = b.tenant_id),
    after as (update tenant_configs t set deleted_at = null, ${NEXT_VERSION},
        subject_id = ${own(sql`${keyHash}`, sql`t.subject_id`)}, sealed_key = ${own(sql`${encryptedKey}`, sql`null`)},
        subject_created_at = ${own(now, sql`t.subject_created_at`)}, created_at = ${own(now, sql`t.created_at`)},
        budget_reset_at = ${own(sql`null`, sql`t.budget_reset_at`)},
        litellm_key_last_reset = ${own(sql`null`, sql`t.litellm_key_last_reset`)},
        period_seen_at = ${own(sql`null`, sql`t.period_seen_at`)},
        period_announced = ${own(sql`true`, sql`t.period_announced`)},
        litellm_budget_id = ${own(sql`null`, sql`t.litellm_budget_id`)},
        litellm_has_set_limits = ${own(sql`t.enforcement = 'enforce'`, sql`t.litellm_has_set_limits`)},
        litellm_has_blocked = ${own(sql`false`, sql`t.litellm_has_blocked`)},
        carried = ${own(sql`0`, sql`t.carried`)}, carried_period = ${own(sql`null`, sql`t.carried_period`)},
        subject_missing_at = null, litellm_blocked_at = null, ${updatedAt(actor.now)}, ${pendingSync(sql`true`, actor)}
      from before b where t.tenant_id = b.tenant_id returning t.*),
    newest as (insert into tenant_keys (key_hash, tenant_id, created_at)
      select subject_id, tenant_id, ${now} from after where subject_kind = 'key'),
    audit as (${audit})
    select from after`;
}
