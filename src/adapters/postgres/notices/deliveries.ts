// The deliveries of notices in Postgres. One statement per verb; a delivery that has ended keeps its outcome.

import { type SQL, sql } from "drizzle-orm";
import { audienceOfCondition } from "../../../budget/delivery/severity.ts";
import type { Instant } from "../../../budget/instant.ts";
import type { Deliveries } from "../../../ports/notice-stores.ts";
import type { AlertId } from "../../../records/alert.ts";
import type { AuditAction } from "../../../records/audit.ts";
import type { ChannelId } from "../../../records/channel.ts";
import type { DeliveryKey } from "../../../records/delivery.ts";
import { audienceRow, IS_IN_AUDIENCE } from "../alerts/delivery-rows.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";
import { postgresText } from "../postgres-text.ts";
import { gatherDigests } from "./digests.ts";
import { isOurs, loadDispatches } from "./dispatches.ts";
import { isSuperseded } from "./superseded.ts";

export function postgresDeliveries(database: Database): Deliveries {
  const run = async (key: DeliveryKey, statement: SQL) => (isOurs(key) ? await runStatement(database, statement) : []);
  return {
    load: (keys, onUnreadable) => loadDispatches(database, keys, onUnreadable),

    async begin(key, due) {
      const [row] = await run(key, beginning(key, due));
      if (row === undefined) return "changed";
      return row["superseded"] === true ? "superseded" : "begun";
    },

    async end(key, end) {
      await run(key, sql`with ${ending(key, end)} select 1`);
    },

    async recordRejection(key, { error, at }) {
      return (await run(key, rejection(key, postgresText(error), at))).map(keyFromRow);
    },

    async postpone(key, { error, nextAttemptAt, turnAt, isAttempt, hasNotArrived, at }) {
      await run(
        key,
        sql`update notice_deliveries d set attempts = d.attempts + ${isAttempt ? 1 : 0}::integer,
            open_attempts = ${openAttempts(hasNotArrived)},
            last_error = coalesce(${error === null ? null : postgresText(error)}::text, d.last_error),
            next_attempt_at = ${timestampOf(nextAttemptAt)}, turn_at = ${timestampOf(turnAt)},
            updated_at = ${timestampOf(at)}
          where ${isOf(key)} and d.status = 'pending'`,
      );
    },

    async claimOverdue(before, limit, now) {
      const rows = await runStatement(
        database,
        sql`with overdue as (select coalesce(d.alert_id, d.platform_alert_id) as alert_id, d.channel_id,
              d.next_attempt_at as due_at
            from notice_deliveries d where d.status = 'pending' and d.next_attempt_at < ${timestampOf(before)}
            order by d.next_attempt_at limit ${limit} for no key update skip locked),
          claimed as (update notice_deliveries d
            set next_attempt_at = ${timestampOf(now)}, updated_at = ${timestampOf(now)}
            from overdue o where (d.alert_id = o.alert_id or d.platform_alert_id = o.alert_id)
              and d.channel_id = o.channel_id returning o.*)
          select alert_id, channel_id from claimed order by due_at, alert_id, channel_id`,
      );
      return rows.map(keyFromRow);
    },

    async gatherDigests(now) {
      return (await gatherDigests(database, now)).map(keyFromRow);
    },

    async revive(key, now) {
      await run(
        key,
        sql`update notice_deliveries d set status = 'pending', attempts = 0, last_error = null, turn_at = null,
            next_attempt_at = ${timestampOf(now)}, updated_at = ${timestampOf(now)}
          where ${isOf(key)} and d.status = 'failed'`,
      );
    },
  };
}

/** Two conditions, because each has an index. An alert of a tenant and one of the platform never have the same id. */
const isOf = ({ alertId, channelId }: DeliveryKey) =>
  sql`(d.alert_id = ${alertId}::uuid or d.platform_alert_id = ${alertId}::uuid) and d.channel_id = ${channelId}::uuid`;

const openAttempts = (hasNotArrived: boolean) =>
  hasNotArrived ? sql`greatest(d.open_attempts - 1, 0)` : sql`d.open_attempts`;

/** Judges and notes in one step, so that nothing recorded before the attempt can be overlooked. */
function beginning(key: DeliveryKey, { nextAttemptAt, now }: Parameters<Deliveries["begin"]>[1]): SQL {
  const isDue = sql`${isOf(key)} and d.status = 'pending'
    and d.next_attempt_at is not distinct from ${timestampOf(nextAttemptAt)}`;
  return sql`with judged as (select d.alert_id, d.platform_alert_id, d.channel_id, ${isSuperseded()} as superseded
      from notice_deliveries d
      left join budget_alert_history a on a.id = d.alert_id left join platform_alerts p on p.id = d.platform_alert_id
      where ${isDue})
    update notice_deliveries d set status = case when j.superseded then 'superseded' else d.status end,
      open_attempts = d.open_attempts + case when j.superseded then 0 else 1 end,
      next_attempt_at = case when j.superseded then null else d.next_attempt_at end, updated_at = ${timestampOf(now)}
    from judged j where ${isDue} returning j.superseded`;
}

/** The members of a digest end with it. A notice that was sent shows that its channel works again. */
function ending(key: DeliveryKey, { status, error, hasNotArrived, at }: Parameters<Deliveries["end"]>[1]): SQL {
  const lastError = error === null ? null : postgresText(error);
  const sentAt = timestampOf(status === "sent" ? at : null);
  // A skipped notice was never sent.
  const attempts = status === "skipped" ? 0 : 1;
  return sql`ended as (update notice_deliveries d set status = ${status}, last_error = ${lastError},
        sent_at = ${sentAt}, attempts = d.attempts + ${attempts}::integer,
        open_attempts = ${openAttempts(hasNotArrived)}, next_attempt_at = null, turn_at = null,
        updated_at = ${timestampOf(at)}
      where ${isOf(key)} and d.status = 'pending' returning d.channel_id, d.platform_alert_id),
    members as (update notice_deliveries m set status = ${status}, last_error = ${lastError}, sent_at = ${sentAt},
        updated_at = ${timestampOf(at)}
      from ended e where m.digest_id = e.platform_alert_id and m.status in ('pending', 'failed')),
    mended as (update notification_channels c set last_error = null, last_error_at = null, broken_since = null
      from ended e where c.id = e.channel_id and c.broken_since is not null and ${status} = 'sent')`;
}

const BROKEN: AuditAction = "channel_broken";

/** The first rejection of a channel is an alert to the platform's other channels. Selects the new deliveries. */
function rejection(key: DeliveryKey, error: string, at: Instant): SQL {
  const now = timestampOf(at);
  return sql`with ${ending(key, { status: "failed", error, hasNotArrived: true, at })},
    present as (select c.id, c.broken_since is null as is_new from notification_channels c
      join ended e on e.channel_id = c.id for no key update of c),
    broken as (update notification_channels c set last_error = ${error}, last_error_at = ${now},
        broken_since = coalesce(c.broken_since, ${now})
      from present p where c.id = p.id returning c.id, c.tenant_id, c.kind, c.name, p.is_new),
    recorded as (insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
      select gen_random_uuid(), 'channel_broken', jsonb_build_object('channel_id', b.id, 'channel', b.name,
        'channel_kind', b.kind, 'tenant_id', b.tenant_id, 'error', ${error}::text), ${now}, ${now}, ${now}
      from broken b where b.is_new returning id, detail),
    audit as (insert into audit_log (at, actor, action, tenant_id, detail, source_id)
      select ${now}, 'bursar', ${BROKEN}, r.detail->>'tenant_id', r.detail || jsonb_build_object('alert_id', r.id),
        'platform-alert/' || r.id from recorded r)
    insert into notice_deliveries (platform_alert_id, channel_id, next_attempt_at, updated_at)
    select r.id, c.id, ${now}, ${now} from recorded r
    cross join ${audienceRow(audienceOfCondition("channel_broken"))}
    join notification_channels c on c.tenant_id is null and c.enabled and ${IS_IN_AUDIENCE}
      and c.id::text <> r.detail->>'channel_id'
    returning platform_alert_id as alert_id, channel_id`;
}

function keyFromRow(row: Row): DeliveryKey {
  return { alertId: row["alert_id"] as AlertId, channelId: row["channel_id"] as ChannelId };
}
