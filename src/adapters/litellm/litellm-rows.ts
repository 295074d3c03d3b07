// LiteLLM's key and team rows as readings. Tolerant of every field it does not need, strict about money.

import * as z from "zod";
import type { Instant } from "../../budget/instant.ts";
import { type NanoUsd, nanoUsdFromNumber, usdNumber } from "../../budget/money.ts";
import { spendFromNumber } from "../../budget/spend.ts";
import type { KeyHash, Subject } from "../../budget/tenant.ts";
import type { LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";

const money = z
  .number()
  .nullish()
  .transform((usd) => (usd == null ? null : nanoUsdFromNumber(usd)));

/** LiteLLM writes instants with `Z`, with an offset, or naive (then UTC). */
const instant = z
  .string()
  .nullish()
  .transform((text) => {
    if (text == null) return null;
    const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/.test(text);
    const parsed = Date.parse(hasZone ? text : `${text}Z`);
    return Number.isNaN(parsed) ? null : parsed;
  });

const row = z.object({
  spend: z.number(),
  max_budget: money,
  soft_budget: money,
  budget_duration: z.string().nullish(),
  budget_reset_at: instant,
  created_at: instant,
  metadata: z.record(z.string(), z.unknown()).nullish(),
  budget_id: z.string().nullish(),
  team_id: z.string().nullish(),
  blocked: z.boolean().nullish(),
  litellm_budget_table: z
    .object({
      max_budget: money,
      soft_budget: money,
      budget_duration: z.string().nullish(),
      budget_reset_at: instant,
    })
    .nullish(),
});

export const keyInfo = z.object({ info: row });
export const teamInfo = z.object({ team_info: row });

/** Several keys: parses each row by itself, so that an unparseable row does not affect the others. */
export const keyInfos = z.object({ info: z.array(z.unknown()) });
export const keyInfoOfMany = row.extend({ token: z.string() });

/**
 * A reading from a row. A key that is linked to a budget object keeps its limits there.
 * Null when the spend is NaN or infinite: such a row is no observation.
 */
export function litellmRowFrom(
  subject: Subject,
  raw: z.output<typeof row>,
  begunAt: Instant,
): (LiteLlmRow & { wasNegative: boolean }) | null {
  const spend = spendFromNumber(raw.spend);
  if (spend === null) return null;
  const linked = raw.litellm_budget_table;
  return {
    subject,
    ...spend,
    begunAt,
    maxBudgetNanoUsd: raw.max_budget ?? linked?.max_budget ?? null,
    softBudgetNanoUsd: linked?.soft_budget ?? raw.soft_budget,
    budgetDuration: raw.budget_duration ?? linked?.budget_duration ?? null,
    own: { maxBudgetNanoUsd: raw.max_budget, budgetDuration: raw.budget_duration ?? null },
    resetsAt: raw.budget_reset_at ?? linked?.budget_reset_at ?? null,
    createdAt: raw.created_at,
    metadata: raw.metadata ?? {},
    blocked: raw.blocked === true,
    budgetId: raw.budget_id ?? null,
    teamId: subject.kind === "key" ? (raw.team_id ?? null) : null,
  };
}

/** The request fields of LiteLLM for the given fields; absent fields are not sent. */
export function requestFields(fields: Partial<LiteLlmFields>): Record<string, unknown> {
  const amount = (nano: NanoUsd | null) => (nano === null ? null : usdNumber(nano));
  return {
    ...(fields.maxBudgetNanoUsd !== undefined && { max_budget: amount(fields.maxBudgetNanoUsd) }),
    ...(fields.softBudgetNanoUsd !== undefined && { soft_budget: amount(fields.softBudgetNanoUsd) }),
    ...(fields.budgetDuration !== undefined && { budget_duration: fields.budgetDuration }),
    ...(fields.metadata !== undefined && { metadata: fields.metadata }),
    ...(fields.blocked !== undefined && { blocked: fields.blocked }),
  };
}

/** `{"key": …}` or `{"team_id": …}`, as LiteLLM names its rows. */
export function subjectField(subject: Subject): { key: KeyHash } | { team_id: string } {
  return subject.kind === "key" ? { key: subject.id } : { team_id: subject.id };
}
