// Records alerts once each, with their deliveries and their lines in the audit, in one statement. Optimistic lock on
// the last evaluation and on what the alerts were computed from: if either has changed meanwhile, the statement writes
// nothing.

import { type SQL, sql } from "drizzle-orm";
import type { AlertDraft } from "../../../budget/alert.ts";
import { audienceOf } from "../../../budget/delivery/severity.ts";
import type { AlertEvaluation } from "../../../budget/find-alerts.ts";
import { decimalFromNanoUsd, percentNumber } from "../../../budget/money.ts";
import { digestAt } from "../../../budget/schedules/digest.ts";
import type { Alerts } from "../../../ports/notice-stores.ts";
import type { AlertEntry } from "../../../records/alert.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { RecordedAlerts } from "../../../records/delivery.ts";
import { type Database, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { listAlerts } from "./alert-list.ts";
import { audienceJson, deliveryKeysFrom, IS_IN_AUDIENCE } from "./delivery-rows.ts";
import { listUnannounced } from "./unannounced-changes.ts";

const RECORDED: AuditAction = "alert_recorded";

export function postgresAlerts(database: Database): Alerts {
  return {
    record: (entry) => recordAlerts(database, entry),
    list: (query) => listAlerts(database, query),
    listUnannounced: (audited, limit, onFault) => listUnannounced(database, audited, limit, onFault),
  };
}

async function recordAlerts(database: Database, entry: AlertEntry): Promise<RecordedAlerts | null> {
  const [row] = await runStatement(
    database,
    sql`with turn as (${entry.evaluation === null ? tenantUnchanged(entry) : claimEvaluation(entry, entry.evaluation)}),
    drafts as (select * from ${draftRows(entry.drafts)}),
    recorded as (insert into budget_alert_history (id, tenant_id, identity, event_type, threshold, spend, max_budget,
        limit_amount, percentage, period_started_at, resets_at, limit_version, occurrence, repetition, silent,
        detail, created_at)
      select gen_random_uuid(), turn.tenant_id, d.identity, d.event_type, d.threshold, d.spend, d.max_budget,
        d.limit_amount, d.percentage, d.period_started_at, d.resets_at, d.limit_version, d.occurrence, d.repetition,
        d.silent, d.detail, ${createdAt(entry)}
      from turn cross join drafts d
      on conflict (identity) do nothing returning *),
    deliveries as (insert into notice_deliveries (alert_id, channel_id, next_attempt_at, digest_at, updated_at)
      select r.id, c.id, case when not ${IS_DIGESTED} then ${timestampOf(entry.now)} end,
        case when ${IS_DIGESTED} then ${timestampOf(digestAt(entry.now))} end, ${timestampOf(entry.now)}
      from recorded r join drafts audience on audience.identity = r.identity
      join notification_channels c on (c.tenant_id = r.tenant_id or c.tenant_id is null) and c.enabled and ${IS_IN_AUDIENCE}
      where not r.silent returning alert_id, channel_id, digest_at),
    audit as (insert into audit_log (at, actor, action, tenant_id, detail, source_id)
      select r.created_at, 'bursar', ${RECORDED}, r.tenant_id, jsonb_build_object('alert_id', r.id,
        'event_type', r.event_type, 'threshold', r.threshold, 'occurrence', r.occurrence, 'repetition', r.repetition,
        'silent', r.silent),
        'alert/' || r.id
      from recorded r on conflict (source_id) do nothing)
    select (select count(*) from recorded where not silent)::int as announced,
      (select coalesce(json_agg(json_build_object('alert_id', alert_id, 'channel_id', channel_id)), '[]'::json)
        from deliveries where digest_at is null) as deliveries
    from turn`,
  );
  return row === undefined
    ? null
    : { announced: Number(row["announced"]), deliveries: deliveryKeysFrom(row["deliveries"]) };
}

/** On the first of a month a thousand budgets reset at once: the platform hears of them once an hour. */
const IS_DIGESTED: SQL = sql`(r.event_type = 'budget_reset' and c.tenant_id is null)`;

/**
 * Later than every recorded alert of the tenant, even if the clocks of two consumers differ, and even within one batch:
 * the last of a block and a resolution decides whether the tenant is blocked.
 */
function createdAt({ tenantId, now }: AlertEntry): SQL {
  return sql`(select greatest(${timestampOf(now)}, max(created_at) + interval '1 millisecond')
    from budget_alert_history where tenant_id = ${tenantId})`;
}

/**
 * Compare-and-set on the last evaluation. Its row lock lets one consumer of a tenant record at a time. Spend that has
 * risen meanwhile leaves a crossing true, and the consumer that counted it evaluates it; spend that has fallen leaves
 * the end of a block true.
 */
function claimEvaluation({ tenantId, lastEvaluation, drafts, basis }: AlertEntry, evaluation: AlertEvaluation): SQL {
  const isEnd = ({ eventType }: AlertDraft) => eventType === "budget_resolved";
  const spend = typeof basis.spendNanoUsd === "bigint" ? decimalFromNanoUsd(basis.spendNanoUsd) : null;
  return sql`update tenant_spend s
    set alerts_version = ${evaluation.limitVersion}, alerts_period_started_at = ${timestampOf(evaluation.periodStartedAt)}
    from tenant_configs t
    where s.tenant_id = ${tenantId} and t.tenant_id = s.tenant_id and t.deleted_at is null
      and t.revision = ${basis.revision}
      and (s.spend <= ${spend}::numeric or not ${drafts.some(isEnd)})
      and (s.spend >= ${spend}::numeric or ${drafts.every(isEnd)})
      and s.alerts_version is not distinct from ${lastEvaluation?.limitVersion ?? null}::integer
      and s.alerts_period_started_at is not distinct from ${timestampOf(lastEvaluation?.periodStartedAt ?? null)}
    returning s.tenant_id`;
}

/** Alerts of a change depend on no evaluation, but they state a limit and a spend. */
function tenantUnchanged({ tenantId, basis: { revision, spendNanoUsd } }: AlertEntry): SQL {
  const spend = typeof spendNanoUsd === "bigint" ? decimalFromNanoUsd(spendNanoUsd) : null;
  return sql`select t.tenant_id from tenant_configs t left join tenant_spend s on s.tenant_id = t.tenant_id
    where t.tenant_id = ${tenantId} and t.deleted_at is null and t.revision = ${revision}
      and (${spendNanoUsd === "any"} or s.spend is not distinct from ${spend}::numeric)`;
}

/** The drafts as a relation, each with its audience. */
function draftRows(drafts: readonly AlertDraft[]): SQL {
  const rows = drafts.map((draft) => ({
    identity: draft.identity,
    event_type: draft.eventType,
    threshold: draft.threshold === null ? null : percentNumber(draft.threshold),
    spend: decimalFromNanoUsd(draft.spendNanoUsd),
    max_budget: decimalFromNanoUsd(draft.maxBudgetNanoUsd),
    limit_amount: decimalFromNanoUsd(draft.limitNanoUsd),
    percentage: draft.used === null ? null : hundredths(draft.used),
    period_started_at: new Date(draft.periodStartedAt).toISOString(),
    resets_at: draft.resetsAt === null ? null : new Date(draft.resetsAt).toISOString(),
    limit_version: draft.limitVersion,
    occurrence: draft.occurrence,
    repetition: draft.repetition,
    silent: draft.isSilent,
    detail: draft.detail,
    ...audienceJson(audienceOf(draft.eventType)),
  }));
  return sql`jsonb_to_recordset(${jsonbText(rows)}::jsonb) as d(identity text, event_type text, threshold numeric,
    spend numeric, max_budget numeric, limit_amount numeric, percentage numeric, period_started_at timestamptz,
    resets_at timestamptz, limit_version integer, occurrence integer, repetition integer, silent boolean,
    detail jsonb, events text[], severities text[], is_default boolean)`;
}

/** Basis points as an exact decimal of percent. A tiny limit makes them larger than a double can hold. */
function hundredths(share: bigint): string {
  return `${share / 100n}.${(share % 100n).toString().padStart(2, "0")}`;
}
