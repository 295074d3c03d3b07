// The columns of a TenantRecord and their conversion. Runs no statement. The selection also reads from the results of a
// change in the same statement, which Drizzle's query builder cannot name, so it stays in `sql`.
// Instants leave Postgres as milliseconds and money as text: no session setting and no double can alter them.

import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { basisPointsFromNumber, nanoUsdFromDecimal } from "../../../budget/money.ts";
import type { KeyHash, OtherKey, Override, Subject, TenantId } from "../../../budget/tenant.ts";
import { spendRecordSchema } from "../../../ports/messages.ts";
import type { PriorValues, TenantRecord } from "../../../records/tenant.ts";
import { refusalSettings } from "../../../wire/refusal-settings.ts";
import type { Row } from "../client.ts";
import { ms } from "../instants.ts";

/** The spend record of the row `s` of `tenant_spend`, as `spendRecordSchema` reads it; null without a row. */
export const SELECT_SPEND = sql`case when s.tenant_id is not null then json_build_object('spend', s.spend::text,
  'observed_at', ${ms("s.observed_at")}, 'read_at', ${ms("s.read_at")}, 'source', s.source,
  'period_started_at', ${ms("s.period_started_at")}, 'resets_at', ${ms("s.resets_at")},
  'burn_per_second', s.burn_per_second::text, 'epoch', s.epoch) end`;

/**
 * Selects tenants as `tenantFromRow` reads them. `tenants` and `spends` are what to read from: the tables, or the
 * results of the changes made in the same statement, which the tables do not show yet. The alias is `t`. Of the
 * overrides whose end is recorded only the number is read: a tenant may have had thousands.
 */
export function selectTenants(from: { tenants: SQL; spends?: SQL } = { tenants: sql`tenant_configs` }): SQL {
  const spends = from.spends ?? sql`tenant_spend`;
  return sql`select t.tenant_id, t.name, t.subject_kind, t.subject_id, t.max_budget::text, t.alert_threshold::text,
      t.grace_threshold::text, t.budget_duration, ${ms("t.budget_reset_at")} as budget_reset_at,
      ${ms("t.litellm_key_last_reset")} as litellm_key_last_reset, ${ms("t.subject_created_at")} as subject_created_at,
      t.config_version, t.settings_version, t.metadata, t.revision::float8, t.enforcement, t.fail_policy, t.refusal, ${ms("t.suspended_at")} as suspended_at,
      ${ms("t.subject_missing_at")} as subject_missing_at, ${ms("t.litellm_blocked_at")} as litellm_blocked_at,
      t.adopted, t.prior_values, t.sealed_key, t.litellm_sync, t.litellm_sync_error,
      ${ms("t.litellm_sync_since")} as litellm_sync_since, t.litellm_budget_id, t.litellm_has_set_limits,
      t.litellm_has_blocked, t.mark_nonce::text,
      ${ms("t.deleted_at")} as deleted_at, ${ms("t.period_seen_at")} as period_seen_at,
      ${ms("t.created_at")} as created_at, ${ms("t.updated_at")} as updated_at,
      ${SELECT_SPEND} as spend,
      (select json_build_object('ended', count(*) filter (where o.end_noted_at is not null), 'open', coalesce(
        json_agg(json_build_object('id', o.id, 'amount', o.override_amount::text, 'created_at', ${ms("o.created_at")},
          'expires_at', ${ms("o.expires_at")}, 'revoked_at', ${ms("o.revoked_at")}) order by o.created_at, o.id)
        filter (where o.end_noted_at is null), '[]'::json))
        from budget_overrides o where o.tenant_id = t.tenant_id) as overrides,
      (select coalesce(json_agg(json_build_object('hash', k.key_hash, 'created_at', ${ms("k.created_at")},
        'ends_at', ${ms("k.ends_at")}) order by k.created_at, k.key_hash), '[]'::json)
        from tenant_keys k where k.tenant_id = t.tenant_id and k.ends_at is not null and k.carried_at is null)
        as other_keys,
      (case when t.carried_period = coalesce(t.litellm_key_last_reset, t.subject_created_at) then t.carried else 0 end
        )::text as carried
    from ${from.tenants} t left join ${spends} s on s.tenant_id = t.tenant_id`;
}

/**
 * Tenants `t`, their spend as `s`: those without any, and those with a limit of 0. An index of `tenant_states` has
 * them, so that no query has to look through every tenant for the few that have no spend yet. A query
 * adds `s.tenant_id is null`.
 */
export const PERHAPS_WITHOUT_SPEND = sql.raw(`(select tenant_id from tenant_states where used = -1) n
  join tenant_configs t on t.tenant_id = n.tenant_id left join tenant_spend s on s.tenant_id = t.tenant_id`);

const numeric = <T>(read: (text: string) => T | null) =>
  z.string().transform((text, context): T => {
    const value = read(text);
    if (value !== null) return value;
    context.addIssue("must be a decimal number");
    return z.NEVER;
  });
export const money = numeric(nanoUsdFromDecimal);
const percent = numeric((text) => basisPointsFromNumber(Number(text)));
const instant = z.number();
/** The caller's own pairs. */
export const metadata = z.record(z.string(), z.string());
const priorValues = z
  .object({
    maxBudget: z.string().nullable(),
    softBudget: z.string().nullable(),
    budgetDuration: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .nullable();

const rawOverride = z.object({
  id: z.string(),
  amount: money,
  created_at: instant,
  expires_at: instant,
  revoked_at: instant.nullable(),
});

const override = rawOverride.transform(
  (raw): Override => ({
    id: raw.id,
    amountNanoUsd: raw.amount,
    createdAt: raw.created_at,
    expiresAt: raw.expires_at,
    revokedAt: raw.revoked_at,
  }),
);

const rawOtherKey = z.object({ hash: z.string(), created_at: instant, ends_at: instant });

const otherKey = rawOtherKey.transform(
  (raw): OtherKey => ({ hash: raw.hash as KeyHash, createdAt: raw.created_at, endsAt: raw.ends_at }),
);

const row = z.object({
  tenant_id: z.string(),
  name: z.string().nullable(),
  subject_kind: z.enum(["key", "team"]),
  subject_id: z.string(),
  max_budget: money,
  alert_threshold: percent,
  grace_threshold: percent,
  budget_duration: z.string().nullable(),
  budget_reset_at: instant.nullable(),
  litellm_key_last_reset: instant.nullable(),
  subject_created_at: instant,
  config_version: z.number(),
  settings_version: z.number(),
  metadata,
  revision: z.number(),
  enforcement: z.enum(["enforce", "observe"]),
  fail_policy: z.enum(["open", "closed"]).nullable(),
  refusal: refusalSettings.nullable(),
  suspended_at: instant.nullable(),
  subject_missing_at: instant.nullable(),
  litellm_blocked_at: instant.nullable(),
  adopted: z.boolean(),
  prior_values: priorValues,
  sealed_key: z.string().nullable(),
  litellm_sync: z.enum(["synced", "pending"]),
  litellm_sync_error: z.string().nullable(),
  litellm_sync_since: instant,
  litellm_budget_id: z.string().nullable(),
  litellm_has_set_limits: z.boolean(),
  litellm_has_blocked: z.boolean(),
  mark_nonce: z.string().nullable(),
  deleted_at: instant.nullable(),
  period_seen_at: instant.nullable(),
  created_at: instant,
  updated_at: instant,
  spend: spendRecordSchema.nullable(),
  overrides: z.object({ open: z.array(override), ended: z.number() }),
  other_keys: z.array(otherKey),
  carried: money,
});

/** The tenant of the first row; null when there is none. */
export function firstTenant(rows: readonly Row[]): TenantRecord | null {
  const [row] = rows;
  return row === undefined ? null : tenantFromRow(row);
}

/** @throws ZodError when the row is not what `selectTenants` selects: a bug or a foreign table. */
export function tenantFromRow(raw: Row): TenantRecord {
  const read = row.parse(raw);
  return {
    config: {
      tenantId: read.tenant_id as TenantId,
      name: read.name,
      subject: subjectFrom(read.subject_kind, read.subject_id),
      maxBudgetNanoUsd: read.max_budget,
      alertThreshold: read.alert_threshold,
      graceThreshold: read.grace_threshold,
      budgetDuration: read.budget_duration,
      budgetResetAt: read.budget_reset_at,
      litellmKeyLastReset: read.litellm_key_last_reset,
      subjectCreatedAt: read.subject_created_at,
      configVersion: read.config_version,
      revision: read.revision,
      enforcement: read.enforcement,
      failPolicy: read.fail_policy,
      suspendedAt: read.suspended_at,
      subjectMissingAt: read.subject_missing_at,
      litellmBlockedAt: read.litellm_blocked_at,
      overrides: read.overrides.open,
      endedOverrides: read.overrides.ended,
      createdAt: read.created_at,
      otherKeys: read.other_keys,
      carriedNanoUsd: read.carried,
      refusal: read.refusal,
    },
    spend: read.spend,
    settingsVersion: read.settings_version,
    metadata: read.metadata,
    sync: {
      status: read.litellm_sync,
      error: read.litellm_sync_error,
      since: read.litellm_sync_since,
      budgetId: read.litellm_budget_id,
      hasSetLimits: read.litellm_has_set_limits,
      hasBlocked: read.litellm_has_blocked,
    },
    adopted: read.adopted,
    priorValues: read.prior_values satisfies PriorValues | null,
    encryptedKey: read.sealed_key,
    markNonce: read.mark_nonce,
    deletedAt: read.deleted_at,
    periodSeenAt: read.period_seen_at,
    createdAt: read.created_at,
    updatedAt: read.updated_at,
  };
}

function subjectFrom(kind: "key" | "team", id: string): Subject {
  return kind === "key" ? { kind, id: id as KeyHash } : { kind, id };
}
