// Parses LiteLLM's key and team rows. Only unusable spend makes a row unusable: any other field that has an unexpected
// form reads as absent, so that one odd field does not end the reads of its tenant.

import * as z from "zod";
import { type NanoUsd, nanoUsdFromDecimal, nanoUsdFromNumber, usdNumber } from "../../budget/money.ts";
import type { KeyHash, Subject } from "../../budget/tenant.ts";
import type { LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";

const text = z.string().nullish().catch(null);

const money = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === "string" ? nanoUsdFromDecimal(value) : nanoUsdFromNumber(value)));

/** LiteLLM writes instants with `Z`, with an offset, or naive (then UTC). */
const instant = text.transform((written) => {
  if (written == null) return null;
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/.test(written);
  const parsed = Date.parse(hasZone ? written : `${written}Z`);
  return Number.isNaN(parsed) ? null : parsed;
});

/** An object, or the JSON text of one: a sync merges the metadata and writes it back, so none of it may get lost. */
const metadata = z.unknown().optional().transform(fromJson).pipe(z.record(z.string(), z.unknown()).catch({}));

const row = z.object({
  spend: money,
  max_budget: money,
  soft_budget: money,
  budget_duration: text,
  budget_reset_at: instant,
  created_at: instant,
  metadata,
  budget_id: text,
  team_id: text,
  key_alias: text,
  team_alias: text,
  /** `deleted` since 1.104, where older versions answer that they do not know the key. */
  status: text,
  blocked: z.unknown().optional().transform(fromJson).pipe(z.boolean().catch(false)),
  litellm_budget_table: z
    .object({ max_budget: money, soft_budget: money, budget_duration: text, budget_reset_at: instant })
    .nullish()
    .catch(null),
});

export type RawRow = z.output<typeof row>;

export const keyInfo = z.object({ info: row });
export const teamInfo = z.object({ team_info: row });

/** Several keys: parses each row by itself, so that an unparseable row does not affect the others. */
export const keyInfos = z.object({ info: z.array(z.unknown()) });

/** Without `token` since 1.83.14. */
export const keyInfoOfMany = row.extend({ token: text });

export function isDeleted({ status }: RawRow): boolean {
  return status === "deleted";
}

/** A key that is linked to a budget object keeps its limits there. Null when the spend is not an amount. */
export function litellmRowFrom(
  subject: Subject,
  raw: RawRow,
  { begunAt, answeredAt }: Pick<LiteLlmRow, "begunAt" | "answeredAt">,
): (LiteLlmRow & { wasNegative: boolean }) | null {
  if (raw.spend === null) return null;
  const linked = raw.litellm_budget_table;
  return {
    subject,
    spendNanoUsd: raw.spend < 0n ? 0n : raw.spend,
    othersNanoUsd: 0n,
    wasNegative: raw.spend < 0n,
    begunAt,
    answeredAt,
    maxBudgetNanoUsd: raw.max_budget ?? linked?.max_budget ?? null,
    softBudgetNanoUsd: linked?.soft_budget ?? raw.soft_budget,
    budgetDuration: raw.budget_duration ?? linked?.budget_duration ?? null,
    own: { maxBudgetNanoUsd: raw.max_budget, budgetDuration: raw.budget_duration ?? null },
    resetsAt: raw.budget_reset_at ?? linked?.budget_reset_at ?? null,
    createdAt: raw.created_at,
    metadata: raw.metadata,
    blocked: raw.blocked,
    budgetId: raw.budget_id ?? null,
    alias: (subject.kind === "key" ? raw.key_alias : raw.team_alias) ?? null,
    teamId: subject.kind === "key" ? (raw.team_id ?? null) : null,
  };
}

/** LiteLLM keeps some fields as JSON text. Other text stays as it is. */
function fromJson(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
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
