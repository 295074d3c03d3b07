// Audit lines of events outside the admin API. A line of one event is inserted once; a line that stands for many
// webhooks counts each of them once, whatever the queue delivers again. Builds statements only.

import { type SQL, sql } from "drizzle-orm";
import { type Instant, iso } from "../../../budget/instant.ts";
import type { AuditNote } from "../../../records/audit.ts";
import { timestampOf } from "../instants.ts";
import { jsonbText } from "../jsonb.ts";

export function noteInserts(notes: readonly AuditNote[], now: Instant): SQL[] {
  const single = notes.filter(({ webhooks }) => webhooks === undefined);
  const folded = notes.filter(({ webhooks }) => webhooks !== undefined);
  return [...(single.length > 0 ? [insertNotes(single)] : []), ...(folded.length > 0 ? [foldNotes(folded, now)] : [])];
}

function insertNotes(notes: readonly AuditNote[]): SQL {
  return sql`insert into audit_log (at, actor, action, tenant_id, detail, source_id)
    select n.at, 'litellm', n.action, n.tenant_id, n.detail, n.source_id from ${noteRows(notes)}
    order by n.source_id on conflict (source_id) do nothing`;
}

/** Rows are inserted in one order everywhere, so that two batches never deadlock. */
function foldNotes(notes: readonly AuditNote[], now: Instant): SQL {
  return sql`with reported as (select distinct on (r.id) n.source_id, r.id, r.cost, r.spend from ${noteRows(notes)},
        jsonb_to_recordset(n.webhooks) as r(id text, cost numeric, spend numeric) order by r.id, n.source_id),
    fresh as (insert into counted_webhooks (id, counted_at) select id, ${timestampOf(now)} from reported order by id
      on conflict do nothing returning id),
    sums as (select r.source_id, count(*) as count, sum(r.cost) as cost, max(r.spend) as spend
      from reported r join fresh f on f.id = r.id group by r.source_id)
    insert into audit_log as l (at, actor, action, tenant_id, detail, source_id)
    select n.at, 'litellm', n.action, n.tenant_id, n.detail || ${sumsOf("s.count", "s.cost", "s.spend")}, n.source_id
    from ${noteRows(notes)} join sums s on s.source_id = n.source_id order by n.source_id
    on conflict (source_id) do update set detail = l.detail || jsonb_build_object('last_at',
        greatest(l.detail->>'last_at', excluded.detail->>'last_at')) || ${sumsOf(
          "(l.detail->>'count')::bigint + (excluded.detail->>'count')::bigint",
          "coalesce((l.detail->>'cost')::numeric + (excluded.detail->>'cost')::numeric, (excluded.detail->>'cost')::numeric)",
          "greatest((l.detail->>'spend')::numeric, (excluded.detail->>'spend')::numeric)",
        )}`;
}

/** Without the amounts that none of the webhooks has. `count`, `cost`, `spend` are trusted SQL. */
function sumsOf(count: string, cost: string, spend: string): SQL {
  return sql.raw(`jsonb_strip_nulls(jsonb_build_object('count', ${count},
    'cost', trim_scale(${cost})::text, 'spend', trim_scale(${spend})::text))`);
}

function noteRows(notes: readonly AuditNote[]): SQL {
  const rows = notes.map(({ action, tenantId, detail, sourceId, at, webhooks }) => ({
    at: iso(at),
    action,
    tenant_id: tenantId,
    detail,
    source_id: sourceId,
    webhooks: webhooks ?? null,
  }));
  return sql`jsonb_to_recordset(${jsonbText(rows)}::jsonb)
    as n(at timestamptz, action text, tenant_id text, detail jsonb, source_id text, webhooks jsonb)`;
}
