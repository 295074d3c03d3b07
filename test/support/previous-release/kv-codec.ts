// The KV codec of the release before spend had epochs. Frozen, to test that old and new Workers read each other.

import * as z from "zod";
import { decimalFromNanoUsd } from "../../../src/budget/money.ts";
import type { KeyHash, TenantConfig as TenantConfigNow, TenantId } from "../../../src/budget/tenant.ts";
import type { Tombstone } from "../../../src/records/edge.ts";
import { decimalMoney, type SpendRecord, spendRecordJson, spendRecordSchema } from "./messages.ts";

/** That release kept all overrides in their list. */
type TenantConfig = Omit<TenantConfigNow, "endedOverrides">;

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
  config_version: z.int(),
  revision: z.int(),
  enforcement: z.enum(["enforce", "observe"]),
  fail_policy: z.enum(["open", "closed"]).nullable(),
  suspended_at: instant.nullable(),
  overrides: z.array(override),
});

type PreviousConfig = Omit<
  TenantConfig,
  "endedOverrides" | "subjectMissingAt" | "litellmBlockedAt" | "createdAt" | "otherKeys" | "carriedNanoUsd" | "refusal"
>;

const config = rawConfig.transform(
  (raw): PreviousConfig => ({
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
    configVersion: raw.config_version,
    revision: raw.revision,
    enforcement: raw.enforcement,
    failPolicy: raw.fail_policy,
    suspendedAt: raw.suspended_at,
    overrides: raw.overrides,
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
    config_version: of.configVersion,
    revision: of.revision,
    enforcement: of.enforcement,
    fail_policy: of.failPolicy,
    suspended_at: of.suspendedAt,
    overrides: of.overrides.map((one) => ({
      id: one.id,
      amount: decimalFromNanoUsd(one.amountNanoUsd),
      created_at: one.createdAt,
      expires_at: one.expiresAt,
      revoked_at: one.revokedAt,
    })),
  };
}

/** The spend with its subject: a tenant may be deleted and created again with another subject. */
export const spendValue = z.object({ subject_id: z.string(), record: spendRecordSchema });

export function spendJson(config: TenantConfig, record: SpendRecord): z.input<typeof spendValue> {
  return { subject_id: config.subject.id, record: spendRecordJson(record) };
}

export const keyValue = z.object({ tenant_id: z.string().nullable() });

export const outageValue = z.object({ started_at: instant.nullable() });
