// The signs of trouble that Postgres can show, in one statement. Reads only.

import { type SQL, sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import type { PlatformBounds, PlatformSigns } from "../../../records/platform-alert.ts";
import { type Database, runStatement } from "../client.ts";
import { ms, timestampOf } from "../instants.ts";
import { PERHAPS_WITHOUT_SPEND } from "../tenants/tenant-rows.ts";

/** Ignores dead letters of the platform's own notices: the channel that failed would have to deliver the alert. */
export async function readSigns(
  database: Database,
  { lettersSince, pendingBefore, readBefore, unreadBefore }: PlatformBounds,
): Promise<PlatformSigns> {
  const before = timestampOf(readBefore);
  const [row] = await runStatement(
    database,
    sql`select
      (select json_build_object('count', count(*), 'queue', (array_agg(l.queue order by l.recorded_at desc))[1],
          'error', (array_agg(l.error order by l.recorded_at desc))[1])
        from dead_letters l where l.recorded_at > ${timestampOf(lettersSince)} and l.replayed_at is null
          and not exists (select from platform_alerts p where p.id::text = l.body->>'alert_id')
        having count(*) > 0) as letters,
      (select json_build_object('count', count(*) over (), 'since', ${ms("t.litellm_sync_since")},
          'tenantId', t.tenant_id, 'error', t.litellm_sync_error)
        from tenant_configs t where t.litellm_sync = 'pending' and t.litellm_sync_since <= ${timestampOf(pendingBefore)}
        order by t.litellm_sync_since, t.tenant_id limit 1) as pending,
      (select json_build_object('count', count(*) over (), 'since', ${ms("t.subject_missing_at")}, 'tenantId', t.tenant_id)
        from tenant_configs t where t.subject_missing_at is not null and t.deleted_at is null
        order by t.subject_missing_at, t.tenant_id limit 1) as missing,
      (select json_build_object('lastReadAt', ${ms("max(s.read_at)")}) from tenant_spend s
        having coalesce(max(s.read_at) <= ${before}, true)
          and exists (select from tenant_configs t where t.deleted_at is null and t.litellm_sync = 'synced'
            and t.created_at <= ${before})) as silence,
      ${unreadTenants(unreadBefore)} as unread`,
  );
  // The statement builds its JSON with the names of `PlatformSigns`.
  return {
    deadLetters: row?.["letters"],
    pendingSyncs: row?.["pending"],
    missingSubjects: row?.["missing"],
    unreadTenants: row?.["unread"],
    silence: row?.["silence"],
  } as PlatformSigns;
}

/** True of a tenant `t` that the sweep has read every hour. */
const IS_READ = sql.raw("t.deleted_at is null and t.litellm_sync = 'synced' and t.subject_missing_at is null");

/** Up to this many tenants are named. */
const NAMED = 5;

/**
 * By the rule of `unreadSince` in budget/freshness.ts. Null while no tenant at all is read, and for as long after an
 * outage as the sweep may take to read every tenant again: those have alerts of their own.
 */
function unreadTenants(unreadBefore: Instant): SQL {
  const before = timestampOf(unreadBefore);
  return sql`(select json_build_object('count', count(*), 'since', ${ms("min(u.since)")},
      'tenantIds', to_json((array_agg(u.tenant_id order by u.since, u.tenant_id))[1:${sql.raw(String(NAMED))}]))
    from (select t.tenant_id, s.read_at as since
        from tenant_spend s join tenant_configs t on t.tenant_id = s.tenant_id where s.read_at <= ${before} and ${IS_READ}
      union all select t.tenant_id, t.litellm_sync_since
        from tenant_spend s join tenant_configs t on t.tenant_id = s.tenant_id
        where s.read_at is null and t.litellm_sync_since <= ${before} and ${IS_READ}
      union all select t.tenant_id, t.litellm_sync_since
        from ${PERHAPS_WITHOUT_SPEND} where s.tenant_id is null and t.litellm_sync_since <= ${before} and ${IS_READ}) u
    where (select max(s.read_at) from tenant_spend s) > ${before}
      and not exists (select from platform_alerts p where p.kind in ('litellm_out', 'litellm_silent')
        and coalesce(p.ended_at > ${before}, true))
    having count(*) > 0)`;
}
