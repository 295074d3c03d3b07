// The format of snapshots in KV: JSON with decimal strings. An unparseable value reads as missing, never as a guess.

import * as z from "zod";
import type { OutageNote } from "../../budget/failure.ts";
import { CHANGES_OF_ENDED } from "../../budget/limit.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import type { SpendRecord } from "../../budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { decimalMoney, spendRecordJson, spendRecordSchema } from "../../ports/messages.ts";
import type { Tombstone } from "../../records/edge.ts";
import { refusalSettings, refusalSettingsJson } from "../../wire/refusal-settings.ts";

const instant = z.int();
const basisPoints = z
  .int()
  .min(0)
  .transform((share) => BigInt(share));

const subject = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("key"),
    id: z.string().transform((id) => id as KeyHash),
  }),
  z.object({ kind: z.literal("team"), id: z.string() }),
]);

const rawOverride = z.object({
  id: z.string(),
  amount: decimalMoney,
  created_at: instant,
  expires_at: instant,
  revoked_at: instant.nullable(),
});

const override = rawOverride.transform((raw) => ({
  id: raw.id,
  amountNanoUsd: raw.amount,
  createdAt: raw.created_at,
  expiresAt: raw.expires_at,
  revokedAt: raw.revoked_at,
}));

const rawOtherKey = z.object({
  hash: z.string().transform((hash) => hash as KeyHash),
  created_at: instant,
  ends_at: instant,
});

const otherKey = rawOtherKey.transform((raw) => ({
  hash: raw.hash,
  createdAt: raw.created_at,
  endsAt: raw.ends_at,
}));

const rawConfig = z.object({
  tenant_id: z.string().transform((id) => id as TenantId),
  name: z.string().nullable(),
  subject,
  max_budget: decimalMoney,
  alert_threshold: basisPoints,
  grace_threshold: basisPoints,
  budget_duration: z.string().nullable(),
  budget_reset_at: instant.nullable(),
  litellm_key_last_reset: instant.nullable(),
  subject_created_at: instant,
  /** The config version and the changes by `ended_overrides`, which the release before does not read. */
  config_version: z.int(),
  revision: z.int(),
  enforcement: z.enum(["enforce", "observe"]),
  fail_policy: z.enum(["open", "closed"]).nullable(),
  suspended_at: instant.nullable(),
  // The release before wrote neither of these, and ignores both.
  subject_missing_at: instant.nullable().default(null),
  litellm_blocked_at: instant.nullable().default(null),
  overrides: z.array(override),
  /** Absent in values of the release before: all overrides are in its list. */
  ended_overrides: z.int().min(0).default(0),
  /** The release before does not write these, and ignores them. */
  created_at: instant.nullable().default(null),
  other_keys: z.array(otherKey).default([]),
  carried: decimalMoney.default(0n),
  refusal: refusalSettings.nullable().default(null),
});

const config = rawConfig.transform(
  (raw): TenantConfig => ({
    tenantId: raw.tenant_id,
    name: raw.name,
    subject: raw.subject,
    maxBudgetNanoUsd: raw.max_budget,
    alertThreshold: raw.alert_threshold,
    graceThreshold: raw.grace_threshold,
    budgetDuration: raw.budget_duration,
    budgetResetAt: raw.budget_reset_at,
    litellmKeyLastReset: raw.litellm_key_last_reset,
    subjectCreatedAt: raw.subject_created_at,
    configVersion: raw.config_version - CHANGES_OF_ENDED * raw.ended_overrides,
    revision: raw.revision,
    enforcement: raw.enforcement,
    failPolicy: raw.fail_policy,
    suspendedAt: raw.suspended_at,
    subjectMissingAt: raw.subject_missing_at,
    litellmBlockedAt: raw.litellm_blocked_at,
    overrides: raw.overrides,
    endedOverrides: raw.ended_overrides,
    createdAt: raw.created_at,
    otherKeys: raw.other_keys,
    carriedNanoUsd: raw.carried,
    refusal: raw.refusal,
  }),
);

const rawTombstone = z.object({ deleted: z.literal(true), revision: z.int(), deleted_at: instant });

const tombstone = rawTombstone.transform((raw): Tombstone & { revision: number } => ({
  deletedRevision: raw.revision,
  deletedAt: raw.deleted_at,
  revision: raw.revision,
}));

/** The config first: nearly every value is one, and a union tries its parts in order. */
export const configValue = z.union([config, tombstone]);

export type ConfigValue = z.input<typeof configValue>;

/** The part of a config value or tombstone that every release writes alike. */
export const revisionValue = z.object({ revision: z.int() });

export function configJson(of: TenantConfig): ConfigValue {
  return {
    tenant_id: of.tenantId,
    name: of.name,
    subject: of.subject,
    max_budget: decimalFromNanoUsd(of.maxBudgetNanoUsd),
    alert_threshold: Number(of.alertThreshold),
    grace_threshold: Number(of.graceThreshold),
    budget_duration: of.budgetDuration,
    budget_reset_at: of.budgetResetAt,
    litellm_key_last_reset: of.litellmKeyLastReset,
    subject_created_at: of.subjectCreatedAt,
    config_version: of.configVersion + CHANGES_OF_ENDED * of.endedOverrides,
    revision: of.revision,
    enforcement: of.enforcement,
    fail_policy: of.failPolicy,
    suspended_at: of.suspendedAt,
    subject_missing_at: of.subjectMissingAt,
    litellm_blocked_at: of.litellmBlockedAt,
    overrides: of.overrides.map((one) => ({
      id: one.id,
      amount: decimalFromNanoUsd(one.amountNanoUsd),
      created_at: one.createdAt,
      expires_at: one.expiresAt,
      revoked_at: one.revokedAt,
    })),
    ended_overrides: of.endedOverrides,
    created_at: of.createdAt,
    other_keys: of.otherKeys.map(({ hash, createdAt, endsAt }) => ({ hash, created_at: createdAt, ends_at: endsAt })),
    carried: decimalFromNanoUsd(of.carriedNanoUsd),
    refusal: of.refusal && refusalSettingsJson(of.refusal),
  };
}

/**
 * The spend with the tenant's identity: a tenant may be deleted and created again. The release before knows the subject
 * alone.
 */
export const spendValue = z.object({
  subject_id: z.string(),
  tenant_created_at: instant.nullable().default(null),
  record: spendRecordSchema,
});

export function spendJson(config: TenantConfig, record: SpendRecord): z.input<typeof spendValue> {
  const { subject, createdAt } = config;
  return { subject_id: subject.id, tenant_created_at: createdAt, record: spendRecordJson(record) };
}

export function isSpendOf({ subject, createdAt }: TenantConfig, value: z.output<typeof spendValue>): boolean {
  return value.subject_id === subject.id || (createdAt !== null && value.tenant_created_at === createdAt);
}

/** The release before ignores `is_unmanaged`, and looks such a key up. */
export const keyValue = z.object({ tenant_id: z.string().nullable(), is_unmanaged: z.boolean().optional() });

/** The release before writes no pings, and ignores them. */
export const outageValue = z.object({
  started_at: instant.nullable(),
  pings: z.array(z.object({ at: instant, answered: z.boolean() })).default([]),
});

export function outageNoteFrom({ started_at, pings }: z.output<typeof outageValue>): OutageNote {
  return { startedAt: started_at, pings: pings.map(({ at, answered }) => ({ at, hasAnswered: answered })) };
}

export function outageJson({ startedAt, pings }: OutageNote): z.input<typeof outageValue> {
  return { started_at: startedAt, pings: pings.map(({ at, hasAnswered }) => ({ at, answered: hasAnswered })) };
}
