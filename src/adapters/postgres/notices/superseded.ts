// Whether a delivery is superseded, as a condition of SQL. Only alerts that have a delivery to the same channel count:
// what a channel does not get replaces nothing there.

import { type SQL, sql } from "drizzle-orm";
import { PLATFORM_EVENTS } from "../../../budget/delivery/severity.ts";
import { SUPERSEDINGS } from "../../../budget/delivery/superseding.ts";
import { jsonbText } from "../jsonb.ts";

/** True of the delivery `d` of the tenant's alert `a` or the platform's alert `p`. */
export function isSuperseded(): SQL {
  return sql`(exists (${newerAlert()}) or ${isUnheardResolution()} or exists (select from platform_alerts newer
      join notice_deliveries e on e.platform_alert_id = newer.id and e.channel_id = d.channel_id
      where newer.kind = p.kind and newer.created_at > p.created_at and newer.kind not in ${[...PLATFORM_EVENTS]}))`;
}

function newerAlert(): SQL {
  return sql`select from budget_alert_history newer
    join notice_deliveries e on e.alert_id = newer.id and e.channel_id = d.channel_id
    join jsonb_to_recordset(${jsonbText(SUPERSEDINGS)}::jsonb) as s(older text, newer text, "only" text)
      on s.older = a.event_type and s.newer = newer.event_type
    where newer.tenant_id = a.tenant_id and newer.created_at > a.created_at
      and (s."only" is null
        or s."only" = 'override' and newer.detail->>'override_id' = a.detail->>'override_id'
        or s."only" = 'limit' and (newer.period_started_at, newer.limit_version) <> (a.period_started_at, a.limit_version))`;
}

/**
 * True of the end of a block of which the channel certainly heard nothing. Without any block there it is news. So it is
 * while the spend exceeds a threshold, because the notice of that gave way to the block's.
 */
function isUnheardResolution(): SQL {
  const earlier = (condition: SQL, columns: SQL) => sql`select ${columns} from budget_alert_history earlier
    join notice_deliveries e on e.alert_id = earlier.id and e.channel_id = d.channel_id
    where earlier.tenant_id = a.tenant_id and earlier.created_at < a.created_at and ${condition}`;
  const heard = sql`earlier.event_type in ('budget_blocked', 'budget_resolved')
    and (e.status = 'sent' or e.open_attempts > 0)`;
  return sql`(a.event_type = 'budget_resolved'
    and not exists (select from tenant_configs t where t.tenant_id = a.tenant_id and a.percentage >= t.alert_threshold)
    and exists (${earlier(sql`earlier.event_type = 'budget_blocked'`, sql``)})
    and (${earlier(heard, sql`earlier.event_type`)} order by earlier.created_at desc limit 1)
      is distinct from 'budget_blocked')`;
}
