// Many tenants in one statement, for the spend consumer: resolves references to tenants, and loads them with their
// alerts.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { AlertEventType } from "../../budget/alert.ts";
import type { AlertHistory } from "../../budget/find-alerts.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { decimalMoney } from "../../ports/messages.ts";
import type { SpendBatches } from "../../ports/stores.ts";
import type { AlertId } from "../../records/alert.ts";
import type { ChannelId } from "../../records/channel.ts";
import type { DeliveryKey } from "../../records/delivery.ts";
import type { SpendReference, TenantBatch, UnreadableTenant } from "../../records/tenant.ts";
import { alertDetail } from "./alerts/alert-rows.ts";
import { type Database, type Row, runStatement } from "./client.ts";
import { countReported } from "./counted-calls.ts";
import { ms } from "./instants.ts";
import { jsonbText } from "./jsonb.ts";
import { readEach } from "./read-each.ts";
import { selectTenants, tenantFromRow } from "./tenants/tenant-rows.ts";

export function postgresSpendBatches(database: Database): SpendBatches {
  return {
    async load(references, { withPending, onUnreadable }) {
      if (references.length === 0) return [];
      const rows = await runStatement(database, selectBatch(references, withPending));
      return readEach(
        rows,
        tenantBatchFromRow,
        onUnreadable && ((row, cause) => onUnreadable({ ...identityOf(row), cause })),
      );
    },
    count: (reported, now, onFault) => countReported(database, reported, now, onFault),
  };
}

function selectBatch(references: readonly SpendReference[], withPending: boolean): SQL {
  const asked = sql`asked as materialized (select * from jsonb_to_recordset(${jsonbText(references)}::jsonb)
    as asked(kind text, id text))`;
  const found = sql`found as materialized (
    select a.kind, a.id, t.tenant_id from asked a join tenant_configs t on t.tenant_id = a.id
      where a.kind = 'tenant' and t.deleted_at is null
    union all select a.kind, a.id, t.tenant_id from asked a join tenant_keys k on k.key_hash = a.id
      join tenant_configs t on t.tenant_id = k.tenant_id where a.kind = 'key' and t.deleted_at is null
    union all select a.kind, a.id, t.tenant_id from asked a
      join tenant_configs t on t.subject_kind = 'team' and t.subject_id = a.id
      where a.kind = 'team' and t.deleted_at is null)`;
  const tenants = sql`(select * from tenant_configs where tenant_id in (select tenant_id from found))`;
  const pending = withPending ? sql`${PENDING}` : sql`'[]'::json`;
  return sql`with ${asked}, ${found}
    select tenant.*, (select json_agg(json_build_object('kind', f.kind, 'id', f.id)) from found f
        where f.tenant_id = tenant.tenant_id) as "references",
      (select json_build_object('version', s.alerts_version, 'period_started_at', ${ms("s.alerts_period_started_at")})
        from tenant_spend s where s.tenant_id = tenant.tenant_id) as last_evaluation,
      ${ALERTS} as alerts, ${pending} as pending
    from (${selectTenants({ tenants })}) tenant`;
}

const PERIOD_START = sql.raw(
  "to_timestamp(coalesce(tenant.litellm_key_last_reset, tenant.subject_created_at) / 1000.0)",
);

/**
 * The last alert of each event type and limit version of the period, and the last block or resolution of any
 * period.
 */
const ALERTS = sql`(select coalesce(json_agg(json_build_object('identity', a.identity, 'event_type', a.event_type,
      'period_started_at', ${ms("a.period_started_at")}, 'limit_version', a.limit_version,
      'occurrence', a.occurrence, 'repetition', a.repetition, 'spend', a.spend::text, 'silent', a.silent,
      'detail', a.detail, 'created_at', ${ms("a.created_at")})), '[]'::json)
    from ((select distinct on (h.event_type, h.period_started_at, h.limit_version) h.*
        from budget_alert_history h
        where h.tenant_id = tenant.tenant_id and h.period_started_at >= ${PERIOD_START}
        order by h.event_type, h.period_started_at, h.limit_version, h.created_at desc)
      union (select h.* from budget_alert_history h
        where h.tenant_id = tenant.tenant_id and h.event_type in ('budget_blocked', 'budget_resolved')
        order by h.created_at desc limit 1)) a)`;

/** Without those that wait for a digest or for their turn: they need no message. */
const PENDING = sql`(select coalesce(json_agg(json_build_object('alert_id', d.alert_id, 'channel_id', d.channel_id)),
      '[]'::json)
    from notice_deliveries d join budget_alert_history a on a.id = d.alert_id
    where a.tenant_id = tenant.tenant_id and d.status = 'pending' and d.attempts = 0
      and d.digest_at is null and d.turn_at is null)`;

/** Made by the statement itself, so that it can be read of every row. */
const identityRow = z.object({
  tenant_id: z.string(),
  references: z.array(z.object({ kind: z.enum(["key", "team", "tenant"]), id: z.string() })),
});

function identityOf(row: Row): Pick<UnreadableTenant, "tenantId" | "references"> {
  const { tenant_id: id, references } = identityRow.parse(row);
  return { tenantId: id as TenantId, references: references.map((each) => referenceFrom(each.kind, each.id)) };
}

const tenantBatchRow = z.object({
  last_evaluation: z.object({ version: z.number().nullable(), period_started_at: z.number().nullable() }).nullable(),
  alerts: z.array(
    z.object({
      identity: z.string(),
      event_type: z.string(),
      period_started_at: z.number(),
      limit_version: z.number(),
      occurrence: z.number(),
      repetition: z.number(),
      spend: decimalMoney,
      silent: z.boolean(),
      detail: alertDetail,
      created_at: z.number(),
    }),
  ),
  pending: z.array(z.object({ alert_id: z.string(), channel_id: z.string() })),
});

function tenantBatchFromRow(row: Row): TenantBatch {
  const raw = tenantBatchRow.parse(row);
  return {
    tenant: tenantFromRow(row),
    history: historyFrom(raw),
    references: identityOf(row).references,
    pending: raw.pending.map(
      (each): DeliveryKey => ({ alertId: each.alert_id as AlertId, channelId: each.channel_id as ChannelId }),
    ),
  };
}

function historyFrom({ last_evaluation: lastEvaluation, alerts }: z.output<typeof tenantBatchRow>): AlertHistory {
  const hasEvaluated =
    lastEvaluation !== null && lastEvaluation.version !== null && lastEvaluation.period_started_at !== null;
  return {
    lastEvaluation: hasEvaluated
      ? { limitVersion: lastEvaluation.version ?? 0, periodStartedAt: lastEvaluation.period_started_at ?? 0 }
      : null,
    alerts: alerts.map((alert) => ({
      identity: alert.identity,
      eventType: alert.event_type as AlertEventType,
      periodStartedAt: alert.period_started_at,
      limitVersion: alert.limit_version,
      occurrence: alert.occurrence,
      repetition: alert.repetition,
      spendNanoUsd: alert.spend,
      isSilent: alert.silent,
      detail: alert.detail,
      createdAt: alert.created_at,
    })),
  };
}

function referenceFrom(kind: SpendReference["kind"], id: string): SpendReference {
  if (kind === "key") return { kind, id: id as KeyHash };
  return kind === "team" ? { kind, id } : { kind, id: id as TenantId };
}
