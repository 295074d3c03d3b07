// From Postgres' rows to an AlertRecord: which columns are read, and what they become. Reads nothing itself.
// Instants leave Postgres as milliseconds, money and percents as text, so that no double comes between.

import { sql } from "drizzle-orm";
import * as z from "zod";
import { ALERT_EVENT_TYPES } from "../../../budget/alert.ts";
import type { BasisPoints } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { AlertId, AlertRecord } from "../../../records/alert.ts";
import { ms } from "../instants.ts";
import { money } from "../tenants/tenant-rows.ts";

/** An alert in one column, as `alertFromRow` reads it. The alias of `budget_alert_history` is `a`. */
export const alertColumn = sql`json_build_object('id', a.id, 'tenant_id', a.tenant_id, 'identity', a.identity,
  'event_type', a.event_type, 'threshold', a.threshold::text, 'spend', a.spend::text, 'max_budget', a.max_budget::text,
  'limit_amount', a.limit_amount::text, 'percentage', a.percentage::text,
  'period_started_at', ${ms("a.period_started_at")}, 'resets_at', ${ms("a.resets_at")},
  'limit_version', a.limit_version, 'occurrence', a.occurrence, 'silent', a.silent, 'detail', a.detail,
  'created_at', ${ms("a.created_at")})`;

/** Of two decimals, as Postgres keeps them: exact for any share, however small the limit was. */
export const percent = z
  .string()
  .regex(/^\d+\.\d{2}$/)
  .transform((text): BasisPoints => BigInt(text.replace(".", "")));

export const alertDetail = z.record(z.string(), z.union([z.string(), z.number(), z.null()])).nullable();

const instant = z.number();

const row = z.object({
  id: z.string(),
  tenant_id: z.string(),
  identity: z.string(),
  event_type: z.enum(ALERT_EVENT_TYPES),
  threshold: percent.nullable(),
  spend: money,
  max_budget: money,
  limit_amount: money,
  percentage: percent.nullable(),
  period_started_at: instant,
  resets_at: instant.nullable(),
  limit_version: z.number(),
  occurrence: z.number(),
  silent: z.boolean(),
  detail: alertDetail,
  created_at: instant,
});

/** @throws ZodError when it is not what `alertColumn` selects: a bug or a foreign table. */
export function alertFromRow(raw: unknown): AlertRecord {
  const read = row.parse(raw);
  return {
    id: read.id as AlertId,
    tenantId: read.tenant_id as TenantId,
    identity: read.identity,
    eventType: read.event_type,
    threshold: read.threshold,
    spendNanoUsd: read.spend,
    maxBudgetNanoUsd: read.max_budget,
    limitNanoUsd: read.limit_amount,
    used: read.percentage,
    periodStartedAt: read.period_started_at,
    resetsAt: read.resets_at,
    limitVersion: read.limit_version,
    occurrence: read.occurrence,
    isSilent: read.silent,
    detail: read.detail,
    createdAt: read.created_at,
  };
}
