// Changes without an alert, because the process died between the two: lines of the audit log, and running periods, of
// which the tenant's row says more cheaply than the log when they began. Reads only.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Instant } from "../../../budget/instant.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { AnnouncedChange, LateChange } from "../../../records/audit.ts";
import type { OnTenantFault } from "../../../records/tenant.ts";
import { type Database, type Row, runBatch } from "../client.ts";
import { ms, timestampOf } from "../instants.ts";
import { readEachTenant } from "../read-each.ts";
import { overrideColumn, overrideFromRow } from "../tenants/override-rows.ts";

/** The condition of the index `idx_audit_log_told`. */
const IS_ANNOUNCED_KIND = sql.raw(
  "l.action in ('override_granted', 'override_revoked', 'override_ended', 'tenant_suspended', 'tenant_resumed')",
);

/** The statement assigns ids under the tenant's lock, so ids give the order of changes even if clocks differ. */
const IS_UNDONE = sql.raw(`exists (select from audit_log u where u.tenant_id = l.tenant_id and u.id > l.id
  and case l.event_type when 'tenant_suspended' then u.action = 'tenant_resumed'
    when 'tenant_resumed' then u.action = 'tenant_suspended'
    when 'override_granted' then u.action in ('override_revoked', 'override_ended')
      and u.detail->>'override_id' = o.id::text
    else false end)`);

export interface Window {
  readonly since: Instant;
  readonly until: Instant;
}

export async function listUnannounced(
  database: Database,
  within: Window,
  limit: number,
  onFault?: OnTenantFault,
): Promise<LateChange[]> {
  const [changes, resets] = await runBatch(database, [selectChanges(within, limit), selectResets(within, limit)]);
  return [...readEachTenant(changes, lateChangeFrom, onFault), ...readEachTenant(resets, lateResetFrom, onFault)];
}

/** Skips lines of an earlier tenant with the same id, and lines whose override was deleted with its tenant. */
function selectChanges({ since, until }: Window, limit: number): SQL {
  return sql`select l.id::float8 as audit_id, l.tenant_id, l.event_type,
      case when o.id is not null then ${overrideColumn} end as override, ${IS_UNDONE} as is_reverted
    from (select *, case action when 'override_revoked' then 'override_ended' else action end as event_type
      from audit_log l where ${IS_ANNOUNCED_KIND} and l.at >= ${timestampOf(since)} and l.at <= ${timestampOf(until)}) l
    join tenant_configs t on t.tenant_id = l.tenant_id and t.deleted_at is null and t.created_at <= l.at
    left join budget_overrides o on o.id = (l.detail->>'override_id')::uuid
    where (o.id is not null or l.event_type in ('tenant_suspended', 'tenant_resumed'))
      and not exists (select from budget_alert_history h where h.tenant_id = l.tenant_id and h.event_type = l.event_type
        and h.created_at >= l.at - interval '1 hour'
        and (h.detail->>'override_id' = o.id::text or h.detail->>'audit_id' = l.id::text))
    order by l.at, l.id limit ${limit}`;
}

const PERIOD_START_MS = ms("coalesce(t.litellm_key_last_reset, t.subject_created_at)");

/** The identity that `alertIdentity` gives to the reset. The first period of a tenant has no `period_seen_at`. */
export function selectResets({ since, until }: Window, limit: number): SQL {
  return sql`select t.tenant_id, ${PERIOD_START_MS} as period_started_at
    from tenant_configs t
    where t.period_seen_at >= ${timestampOf(since)} and t.period_seen_at <= ${timestampOf(until)}
      and t.deleted_at is null and not exists (select from budget_alert_history h
        where h.identity = 'budget_reset/' || ${PERIOD_START_MS} || '/' || t.tenant_id)
    order by t.period_seen_at limit ${limit}`;
}

const row = z.object({
  audit_id: z.number(),
  tenant_id: z.string(),
  event_type: z.enum(["override_granted", "override_ended", "tenant_suspended", "tenant_resumed"]),
  override: z.unknown(),
});

function lateChangeFrom(raw: Row): LateChange {
  return { change: changeFrom(raw), isReverted: raw["is_reverted"] === true };
}

function changeFrom(raw: Row): AnnouncedChange {
  const read = row.parse(raw);
  const { event_type: eventType } = read;
  if (eventType === "override_granted" || eventType === "override_ended") {
    return { eventType, override: overrideFromRow(read.override) };
  }
  return { eventType, tenantId: read.tenant_id as TenantId, auditId: read.audit_id };
}

const resetRow = z.object({ tenant_id: z.string(), period_started_at: z.number() });

function lateResetFrom(raw: Row): LateChange {
  const read = resetRow.parse(raw);
  return {
    change: {
      eventType: "budget_reset",
      tenantId: read.tenant_id as TenantId,
      periodStartedAt: read.period_started_at,
    },
    isReverted: false,
  };
}
