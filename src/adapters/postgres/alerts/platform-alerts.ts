// The PlatformAlerts port on Postgres: records the alerts that begin and end with the signs of platform-signs.ts.
// One statement; two concurrent sweeps record one alert.

import { getTableColumns, type SQL, sql } from "drizzle-orm";
import { audienceOfCondition, PLATFORM_EVENTS } from "../../../budget/delivery/severity.ts";
import type { Instant } from "../../../budget/instant.ts";
import type { PlatformAlerts } from "../../../ports/notice-stores.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { PlatformAlertRecord, PlatformCondition } from "../../../records/platform-alert.ts";
import { type Database, runQuery } from "../client.ts";
import { instantOf, timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { platformAlerts } from "../schema/platform-tables.ts";
import { audienceJson, deliveryKeysFrom, IS_IN_AUDIENCE } from "./delivery-rows.ts";
import { readSigns } from "./platform-signs.ts";

const HOUR_MS = 3_600_000;

const RECORDED: AuditAction = "platform_alert_recorded";

export function postgresPlatformAlerts(database: Database): PlatformAlerts {
  return {
    evaluate: (bounds) => readSigns(database, bounds),
    record: (conditions, options) => record(database, conditions, options),
  };
}

/**
 * Ends the alerts whose condition is over, and records those that begin or need a reminder. An event has ended as it is
 * recorded.
 */
async function record(
  database: Database,
  conditions: readonly PlatformCondition[],
  { remindBefore, now }: { readonly remindBefore: Instant; readonly now: Instant },
): ReturnType<PlatformAlerts["record"]> {
  const at = timestampOf(now);
  const rows = await runQuery(database, (db) => {
    const seen = db
      .$with("seen", {})
      .as(sql`select * from jsonb_to_recordset(${jsonbText(conditions.map(seenJson))}::jsonb)
        as seen(kind text, detail jsonb, events text[], severities text[], is_default boolean, is_event boolean)`);
    const ended = db.$with("ended", {}).as(sql`update platform_alerts p set ended_at = ${at} from seen
      where p.kind = seen.kind and p.ended_at is null
        and (seen.detail is null or p.created_at <= ${timestampOf(remindBefore)}) returning p.kind, p.begun_at`);
    // The join makes `ended` run first: each kind may have one open row.
    const recorded = db
      .$with("recorded", getTableColumns(platformAlerts))
      .as(sql`insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
        select gen_random_uuid(), seen.kind, seen.detail, coalesce(ended.begun_at, ${at}), ${at},
          case when seen.is_event then ${at} end
        from seen left join ended on ended.kind = seen.kind and not seen.is_event
        where seen.detail is not null and (not seen.is_event or ${isNews(remindBefore, now)})
        on conflict (kind) where ended_at is null do nothing returning *`);
    const deliveries = db
      .$with("deliveries", {})
      .as(sql`insert into notice_deliveries (platform_alert_id, channel_id, next_attempt_at, updated_at)
        select distinct p.id, c.id, ${at}, ${at} from recorded p join seen audience on audience.kind = p.kind
        join notification_channels c on c.tenant_id is null and c.enabled and ${IS_IN_AUDIENCE}
        returning platform_alert_id, channel_id`);
    const audit = db.$with("audit", {}).as(sql`insert into audit_log (at, actor, action, detail, source_id)
      select ${at}, 'bursar', ${RECORDED}, p.detail || jsonb_build_object('alert_id', p.id, 'kind', p.kind),
        'platform-alert/' || p.id from recorded p`);
    const { id, kind, detail, begunAt, createdAt } = recorded;
    return db
      .with(seen, ended, recorded, deliveries, audit)
      .select({ alert: { id, kind, detail, begunAt, createdAt }, deliveries: DELIVERIES_OF_RECORDED })
      .from(recorded);
  });
  return {
    alerts: rows.map(({ alert }) => platformAlertFromRow(alert)),
    deliveries: rows.flatMap(({ deliveries }) => deliveryKeysFrom(deliveries)),
  };
}

const MAX_EVENTS_AN_HOUR = 10;

/** True of an event whose tenant had none of its kind since `remindBefore`, unless many of its kind were recorded. */
function isNews(remindBefore: Instant, now: Instant): SQL {
  const earlier = sql`from platform_alerts e where e.kind = seen.kind and e.created_at >`;
  return sql`(not exists (select ${earlier} ${timestampOf(remindBefore)} and e.detail->>'tenant_id' = seen.detail->>'tenant_id')
    and (select count(*) ${earlier} ${timestampOf(now - HOUR_MS)}) < ${MAX_EVENTS_AN_HOUR})`;
}

const seenJson = ({ kind, detail }: PlatformCondition) => ({
  kind,
  detail,
  is_event: PLATFORM_EVENTS.includes(kind),
  ...audienceJson(audienceOfCondition(kind)),
});

const DELIVERIES_OF_RECORDED = sql<unknown>`(select coalesce(json_agg(json_build_object('alert_id', d.platform_alert_id,
  'channel_id', d.channel_id)), '[]'::json) from deliveries d where d.platform_alert_id = "recorded"."id")`;

export function platformAlertFromRow(row: Omit<typeof platformAlerts.$inferSelect, "endedAt">): PlatformAlertRecord {
  return {
    id: row.id as AlertId,
    kind: row.kind,
    detail: row.detail,
    begunAt: instantOf(row.begunAt),
    createdAt: instantOf(row.createdAt),
  };
}
