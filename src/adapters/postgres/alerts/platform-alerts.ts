// What the platform's people are told, in Postgres: the signs of trouble, and alerts that begin and end with it. One
// statement each; two sweeps at once record one alert.

import { sql } from "drizzle-orm";
import * as z from "zod";
import type { PlatformAlerts } from "../../../ports/stores.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { PlatformAlertRecord, PlatformBounds, PlatformSigns } from "../../../records/platform-alert.ts";
import { type Database, runStatement } from "../client.ts";
import { ms, timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";
import { deliveriesFrom } from "./alerts.ts";

const RECORDED: AuditAction = "platform_alert_recorded";

export function postgresPlatformAlerts(database: Database): PlatformAlerts {
  return {
    evaluate: (bounds) => evaluate(database, bounds),

    async record(conditions, { remindBefore, now }) {
      const at = timestampOf(now);
      // The join makes `ended` happen first: of each kind only one row may be open.
      const [row = {}] = await runStatement(
        database,
        sql`with seen as (select * from jsonb_to_recordset(${jsonbText(conditions)}::jsonb) as seen(kind text, detail jsonb)),
        ended as (update platform_alerts p set ended_at = ${at} from seen
          where p.kind = seen.kind and p.ended_at is null
            and (seen.detail is null or p.created_at <= ${timestampOf(remindBefore)}) returning p.kind, p.begun_at),
        recorded as (insert into platform_alerts (id, kind, detail, begun_at, created_at)
          select gen_random_uuid(), seen.kind, seen.detail, coalesce(ended.begun_at, ${at}), ${at}
          from seen left join ended on ended.kind = seen.kind where seen.detail is not null
          on conflict (kind) where ended_at is null do nothing returning *),
        deliveries as (insert into notice_deliveries (platform_alert_id, channel_id, next_attempt_at, updated_at)
          select p.id, c.id, ${at}, ${at} from recorded p
          join notification_channels c on c.tenant_id is null and c.enabled returning platform_alert_id, channel_id),
        audit as (insert into audit_log (at, actor, action, detail, source_id)
          select ${at}, 'bursar', ${RECORDED}, p.detail || jsonb_build_object('alert_id', p.id, 'kind', p.kind),
            'platform-alert/' || p.id from recorded p)
        select (select coalesce(json_agg(${platformAlertColumn}), '[]'::json) from recorded p) as alerts,
          (select coalesce(json_agg(json_build_object('alert_id', platform_alert_id, 'channel_id', channel_id)),
            '[]'::json) from deliveries) as deliveries`,
      );
      return {
        alerts: (row["alerts"] as unknown[]).map(platformAlertFromRow),
        deliveries: deliveriesFrom(row["deliveries"]),
      };
    },
  };
}

/** One of the platform's alerts in one column, as `platformAlertFromRow` reads it. The alias of the table is `p`. */
export const platformAlertColumn = sql`json_build_object('id', p.id, 'kind', p.kind, 'detail', p.detail,
  'begun_at', ${ms("p.begun_at")}, 'created_at', ${ms("p.created_at")})`;

const alertRow = z.object({
  id: z.string(),
  kind: z.enum(["dead_letter", "sync_pending", "litellm_silent", "litellm_out"]),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  begun_at: z.number(),
  created_at: z.number(),
});

/** @throws ZodError when it is not what `platformAlertColumn` selects: a bug or a foreign table. */
export function platformAlertFromRow(raw: unknown): PlatformAlertRecord {
  const { id, kind, detail, begun_at: begunAt, created_at: createdAt } = alertRow.parse(raw);
  return { id: id as AlertId, kind, detail, begunAt, createdAt };
}

/** A letter about one of the platform's own notices would be told by the channel that did not take that one. */
async function evaluate(
  database: Database,
  { lettersSince, pendingBefore, readBefore }: PlatformBounds,
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
      (select json_build_object('lastReadAt', ${ms("max(s.read_at)")}) from tenant_spend s
        having coalesce(max(s.read_at) <= ${before}, true)
          and exists (select from tenant_configs t where t.deleted_at is null and t.litellm_sync = 'synced'
            and t.created_at <= ${before})) as silence`,
  );
  // As `PlatformSigns` has them: the statement names them so.
  return { deadLetters: row?.["letters"], pendingSyncs: row?.["pending"], silence: row?.["silence"] } as PlatformSigns;
}
