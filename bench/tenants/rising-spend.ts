// Tenants whose webhooks announce rising spend, and the expected result: exactly their last spend and its alerts.
// Plans and checks; sends nothing.

import pg from "pg";
import type { Stack } from "../../dev/stack.ts";
import type { LoadRequest } from "../load/job.ts";
import type { BenchTenant } from "./tenants.ts";
import { signedWebhook } from "./webhooks.ts";

const LIMIT_USD = 500;

/** The last spend in percent of the limit: no alert, warned, over the limit, blocked. */
const LAST_PERCENT = [50, 85, 105, 120];

const ALERTS = [
  { event: "budget_blocked", percent: 110 },
  { event: "budget_crossed", percent: 100 },
  { event: "threshold_crossed", percent: 80 },
];

export interface RisingTenant {
  readonly tenant: BenchTenant;
  readonly lastUsd: number;
  readonly alerts: readonly string[];
}

export function risingTenants(tenants: readonly BenchTenant[]): RisingTenant[] {
  return tenants.map((tenant, index) => {
    const percent = LAST_PERCENT[index % LAST_PERCENT.length] ?? 0;
    return {
      tenant,
      // Different for every tenant, and never a whole dollar.
      lastUsd: inMicros((LIMIT_USD * percent) / 100 + index / 100 + 0.000_001),
      alerts: ALERTS.filter((alert) => alert.percent <= percent).map(({ event }) => event),
    };
  });
}

/** `rounds` webhooks for each tenant, with the tenants interleaved. */
export function risingWebhooks(rising: readonly RisingTenant[], rounds: number): LoadRequest[] {
  return Array.from({ length: rounds }, (_, round) =>
    rising.map(({ tenant, lastUsd }) =>
      signedWebhook(tenant, inMicros((lastUsd * (round + 1)) / rounds), "x_litellm_signature"),
    ),
  ).flat();
}

const inMicros = (usd: number) => Number(usd.toFixed(6));

const RECORDED = `select c.tenant_id, s.spend::float8 as spend,
    (select coalesce(json_agg(h.event_type order by h.event_type), '[]') from budget_alert_history h
      where h.tenant_id = c.tenant_id) as alerts,
    (select sum((a.detail->>'count')::int)::int from audit_log a
      where a.tenant_id = c.tenant_id and a.action = 'webhook_received') as webhooks,
    (select count(*)::int from notice_deliveries d join budget_alert_history h on h.id = d.alert_id
      where h.tenant_id = c.tenant_id and d.status <> 'sent') as unsent
  from tenant_configs c left join tenant_spend s on s.tenant_id = c.tenant_id where c.tenant_id = any($1)`;

/** @throws Error naming the first tenant with missing, wrong or surplus data. */
export async function refuseLosses({ postgres }: Stack, rising: readonly RisingTenant[], rounds: number) {
  const client = new pg.Client({ connectionString: postgres.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(RECORDED, [rising.map(({ tenant }) => tenant.tenantId)]);
    for (const { tenant, lastUsd, alerts } of rising) {
      const { tenant_id, ...recorded } = rows.find((row) => row.tenant_id === tenant.tenantId) ?? {};
      const wanted = { spend: lastUsd, alerts, webhooks: rounds, unsent: 0 };
      if (JSON.stringify(recorded) !== JSON.stringify(wanted)) {
        throw new Error(`${tenant.tenantId} has ${JSON.stringify(recorded)} instead of ${JSON.stringify(wanted)}`);
      }
    }
  } finally {
    await client.end();
  }
}
