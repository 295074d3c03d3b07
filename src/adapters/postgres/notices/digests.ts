// Sums up the deliveries that wait for a digest: one alert and one delivery for each channel and hour. The deliveries
// that it stands for end with it.

import { sql } from "drizzle-orm";
import type { Instant } from "../../../budget/instant.ts";
import { DIGEST_MS } from "../../../budget/schedules/digest.ts";
import { type Database, type Row, runStatement } from "../client.ts";
import { timestampOf } from "../instants.ts";

/** More resets in an hour than this become a second digest. */
const MAX_MEMBERS = 50_000;

/** Enough to recognize what was reset. */
const NAMES = 5;

/** Each delivery is in one digest, also when two sweeps overlap or it was recorded after its hour. */
export async function gatherDigests(database: Database, now: Instant): Promise<readonly Row[]> {
  const at = timestampOf(now);
  return runStatement(
    database,
    sql`with due as (select d.alert_id, d.channel_id, d.digest_at from notice_deliveries d
        where d.status = 'pending' and d.digest_at is not null and d.digest_id is null and d.digest_at <= ${at}
        order by d.digest_at limit ${MAX_MEMBERS} for no key update skip locked),
      digests as (select gen_random_uuid() as id, channel_id, digest_at, count(*) as members from due
        group by channel_id, digest_at),
      recorded as (insert into platform_alerts (id, kind, detail, begun_at, created_at, ended_at)
        select g.id, 'budgets_reset', jsonb_build_object('tenants', g.members, 'names', (
            select string_agg(n.name, ', ' order by n.name) from (
              select coalesce(t.name, t.tenant_id) as name from due join budget_alert_history a on a.id = due.alert_id
              join tenant_configs t on t.tenant_id = a.tenant_id
              where due.channel_id = g.channel_id and due.digest_at = g.digest_at order by 1 limit ${NAMES}) n)),
          g.digest_at - make_interval(secs => ${DIGEST_MS / 1_000}), ${at}, ${at} from digests g returning id),
      members as (update notice_deliveries d set digest_id = g.id, updated_at = ${at}
        from due join digests g on g.channel_id = due.channel_id and g.digest_at = due.digest_at
        where d.alert_id = due.alert_id and d.channel_id = due.channel_id)
      insert into notice_deliveries (platform_alert_id, channel_id, next_attempt_at, updated_at)
      select g.id, g.channel_id, ${at}, ${at} from digests g join recorded r on r.id = g.id
      returning platform_alert_id as alert_id, channel_id`,
  );
}
