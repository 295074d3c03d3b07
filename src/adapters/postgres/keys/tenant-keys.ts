// The TenantKeys port on Postgres: each change is one statement that locks the tenant, changes and audits. The
// tenant is read in a second statement of the batch, which sees the changed keys.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../../budget/money.ts";
import type { KeyHash, TenantId } from "../../../budget/tenant.ts";
import type { TenantKeys } from "../../../ports/stores.ts";
import type { Actor, TenantKey } from "../../../records/tenant.ts";
import { type AuditLine, auditInsert, lineOf } from "../audit/audit-insert.ts";
import { makeChange } from "../audit/make-change.ts";
import { type Database, type Row, runBatch, runStatement } from "../client.ts";
import { ms, timestampOf } from "../instants.ts";
import { isChangedOrAccepted, NEXT_REVISION, NEXT_VERSION } from "../settings-version.ts";
import { lockTenant, pendingSync, updatedAt } from "../tenants/tenant-changes.ts";
import { firstTenant, selectTenants } from "../tenants/tenant-rows.ts";

export function postgresTenantKeys(database: Database): TenantKeys {
  const tenantWith = (tenantId: TenantId, keyHash: KeyHash): SQL =>
    sql`${selectTenants()} where t.tenant_id = ${tenantId} and t.deleted_at is null
      and exists (select from tenant_keys k where k.tenant_id = t.tenant_id and k.key_hash = ${keyHash})`;

  return {
    async add({ tenantId, keyHash, encryptedKey, othersEndAt }, actor) {
      const now = timestampOf(actor.now);
      const added = sql`with before as (${lockTenant(tenantId, actor)}),
        others as (update tenant_keys k set ends_at = least(k.ends_at, ${timestampOf(othersEndAt)})
          from before b where k.tenant_id = b.tenant_id),
        added as (insert into tenant_keys (key_hash, tenant_id, created_at) select ${keyHash}, tenant_id, ${now} from before),
        after as (update tenant_configs t set subject_id = ${keyHash}, sealed_key = ${encryptedKey},
            litellm_budget_id = null, litellm_key_last_reset = coalesce(t.litellm_key_last_reset, t.subject_created_at),
            subject_created_at = ${now}, ${USABLE}, ${NEXT_VERSION}, ${updatedAt(actor.now)},
            ${pendingSync(sql`true`, actor)}
          from before b where t.tenant_id = b.tenant_id returning t.*),
        audit as (${auditInsert(withKey(lineOf(actor, "key_created"), keyHash))})
        select from before`;
      return makeChange(database, {
        statements: [added],
        outcome: (db) => db.execute(tenantWith(tenantId, keyHash)),
        read: ({ rows }) => firstTenant(rows),
      });
    },

    async replace({ tenantId, from, to }, now) {
      const line = lineOfBursar("key_replaced", now);
      const [, rows] = await runBatch(database, [
        sql`with before as (${lockTenant(tenantId)}),
        replaced as (update tenant_keys k set key_hash = ${to} from before b
          where k.tenant_id = b.tenant_id and k.key_hash = ${from} returning k.tenant_id),
        after as (update tenant_configs t
          set subject_id = case when t.subject_id = ${from} then ${to} else t.subject_id end,
            ${USABLE}, ${NEXT_REVISION}, ${updatedAt(now)}, ${pendingSync(sql`true`, { now })}
          from replaced r where t.tenant_id = r.tenant_id returning t.*),
        audit as (${auditInsert(withKey(line, to, from))})
        select from before`,
        tenantWith(tenantId, to),
      ]);
      return firstTenant(rows);
    },

    async find(keyHash) {
      const [row] = await runStatement(
        database,
        sql`${SELECT_KEYS} where k.key_hash = ${keyHash} and t.deleted_at is null`,
      );
      return row === undefined ? null : keyFromRow(row);
    },

    end(tenantId, keyHash, actor) {
      const line = lineOf(actor, "key_removed");
      return makeChange(database, {
        statements: [endOf(tenantId, keyHash, line, actor)],
        outcome: (db) =>
          db.execute(
            sql`${tenantWith(tenantId, keyHash)} and t.subject_id <> ${keyHash} and ${isChangedOrAccepted(actor, line)}`,
          ),
        read: ({ rows }) => firstTenant(rows),
      });
    },

    async endGone(tenantId, keyHash, now) {
      await runStatement(database, endOf(tenantId, keyHash, lineOfBursar("key_removed", now), { now }));
    },

    async listEnded(limit, now) {
      const rows = await runStatement(
        database,
        sql`${SELECT_KEYS} where k.ends_at <= ${timestampOf(now)} and t.deleted_at is null and t.sealed_key is null
          order by k.ends_at, k.key_hash limit ${limit}`,
      );
      return rows.map(keyFromRow);
    },

    async noteBlocked(keyHash, now) {
      await runStatement(
        database,
        sql`update tenant_keys set blocked_at = ${timestampOf(now)} where key_hash = ${keyHash} and blocked_at is null`,
      );
    },

    async carry({ tenantId, keyHash, spendNanoUsd, periodStartedAt }, now) {
      const period = timestampOf(periodStartedAt);
      const [, rows] = await runBatch(database, [
        sql`with before as (${lockTenant(tenantId)}),
        carried as (update tenant_keys k set carried_at = ${timestampOf(now)} from before b
          where k.tenant_id = b.tenant_id and k.key_hash = ${keyHash} and k.carried_at is null returning k.tenant_id)
        update tenant_configs t
          set carried = ${decimalFromNanoUsd(spendNanoUsd)}::numeric
              + case when t.carried_period = ${period} then t.carried else 0 end,
            carried_period = ${period}, ${NEXT_REVISION}, ${updatedAt(now)}
          from carried c where t.tenant_id = c.tenant_id`,
        tenantWith(tenantId, keyHash),
      ]);
      return firstTenant(rows);
    },

    async forget(keyHash) {
      await runStatement(database, sql`delete from tenant_keys where key_hash = ${keyHash} and carried_at is not null`);
    },
  };
}

/** Ends a key that is not the newest one. Without an operation, LiteLLM has removed it. */
function endOf(
  tenantId: TenantId,
  keyHash: KeyHash,
  line: AuditLine,
  { now, operation }: Pick<Actor, "now"> & Partial<Actor>,
): SQL {
  const at = timestampOf(now);
  const version = operation === undefined ? NEXT_REVISION : NEXT_VERSION;
  return sql`with before as (${lockTenant(tenantId, operation && { operation }, sql`subject_id <> ${keyHash}`)}),
    ended as (update tenant_keys k set ends_at = ${at} from before b
      where k.tenant_id = b.tenant_id and k.key_hash = ${keyHash} and coalesce(k.ends_at > ${at}, true)
      returning k.tenant_id),
    after as (update tenant_configs t
      set ${version}, ${updatedAt(now)}, ${pendingSync(sql`true`, { now })}
      from ended e where t.tenant_id = e.tenant_id returning t.*),
    audit as (${auditInsert(withKey(line, keyHash))})
    select from before`;
}

function lineOfBursar(action: AuditLine["action"], now: Instant): AuditLine {
  return { action, actor: "bursar", requestId: null, at: now, before: sql`before`, after: sql`after` };
}

/** What was seen of the former key says nothing of the new one. */
const USABLE = sql.raw("subject_missing_at = null, litellm_blocked_at = null");

const SELECT_KEYS = sql`select k.tenant_id, k.key_hash, ${ms("k.blocked_at")} as blocked_at,
    ${ms("k.carried_at")} as carried_at
  from tenant_keys k join tenant_configs t on t.tenant_id = k.tenant_id`;

function keyFromRow(row: Row): TenantKey {
  return {
    tenantId: row["tenant_id"] as TenantId,
    keyHash: row["key_hash"] as KeyHash,
    blockedAt: row["blocked_at"] as number | null,
    carriedAt: row["carried_at"] as number | null,
  };
}

function withKey(line: AuditLine, keyHash: KeyHash, replaces: KeyHash | null = null): AuditLine {
  const value = sql`jsonb_strip_nulls(jsonb_build_object('key_hash', ${keyHash}::text, 'replaces', ${replaces}::text))`;
  return { ...line, detail: { from: sql`after`, value } };
}
