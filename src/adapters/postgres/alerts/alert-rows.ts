// From a row of `budget_alert_history` to an AlertRecord. Reads nothing itself.
// Money and percents leave Postgres as text, so that no double rounds them.

import * as z from "zod";
import type { BasisPoints } from "../../../budget/money.ts";
import type { TenantId } from "../../../budget/tenant.ts";
import type { AlertId, AlertRecord } from "../../../records/alert.ts";
import { instantOf } from "../instants.ts";
import type { budgetAlertHistory } from "../schema/tables.ts";
import { money } from "../tenants/tenant-rows.ts";

/** A percent with two decimals, as Postgres keeps it: exact for any share, however small the limit was. */
export const percent = z
  .string()
  .regex(/^\d+\.\d{2}$/)
  .transform((text): BasisPoints => BigInt(text.replace(".", "")));

export const alertDetail = z.record(z.string(), z.union([z.string(), z.number(), z.null()])).nullable();

export function alertFromRow(row: typeof budgetAlertHistory.$inferSelect): AlertRecord {
  return {
    id: row.id as AlertId,
    tenantId: row.tenantId as TenantId,
    identity: row.identity,
    eventType: row.eventType,
    threshold: row.threshold === null ? null : percent.parse(row.threshold),
    spendNanoUsd: money.parse(row.spend),
    maxBudgetNanoUsd: money.parse(row.maxBudget),
    limitNanoUsd: money.parse(row.limitAmount),
    used: row.percentage === null ? null : percent.parse(row.percentage),
    periodStartedAt: instantOf(row.periodStartedAt),
    resetsAt: instantOf(row.resetsAt),
    limitVersion: row.limitVersion,
    occurrence: row.occurrence,
    repetition: row.repetition,
    isSilent: row.silent,
    detail: row.detail,
    createdAt: instantOf(row.createdAt),
  };
}
