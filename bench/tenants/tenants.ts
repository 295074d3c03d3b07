// The tenants of the benchmark: their keys, and their snapshots as the real codec writes them.

import { createHash } from "node:crypto";
import { configJson, spendJson, spendValue } from "../../src/adapters/cloudflare/kv-codec.ts";
import type { SpendRecord } from "../../src/budget/spend.ts";
import { DEFAULT_BUDGET, type KeyHash, type TenantConfig, type TenantId } from "../../src/budget/tenant.ts";
import { spendRecordJson } from "../../src/ports/messages.ts";
import type { LoadRequest } from "../load/job.ts";

export interface BenchTenant {
  readonly tenantId: TenantId;
  readonly virtualKey: string;
}

const DAY_MS = 86_400_000;
const SPEND = 125_000_000_000n;

/** Tenants that Postgres and LiteLLM do not have. */
export function generatedTenants(count: number): BenchTenant[] {
  return Array.from({ length: count }, (_, index) => ({
    tenantId: `bench-${index}` as TenantId,
    virtualKey: `sk-bench-${index}`,
  }));
}

export function askRequest({ virtualKey }: BenchTenant): LoadRequest {
  return { path: "/v1/budget", headers: { authorization: `Bearer ${virtualKey}` } };
}

/** All three snapshots of each tenant, by KV key. A quarter of the budget is spent, and the spend rate is zero. */
export function snapshotsOf(tenants: readonly BenchTenant[], observedAt: number): Record<string, string> {
  const entries = tenants.flatMap((tenant) => {
    const config = configOf(tenant, observedAt);
    return [
      [`tenant-of-key:${keyHashOf(tenant)}`, { tenant_id: tenant.tenantId }],
      [`config:${tenant.tenantId}`, configJson(config)],
      [`spend:${tenant.tenantId}`, spendJson(config, spendOf(config, observedAt))],
    ] as const;
  });
  return Object.fromEntries(entries.map(([key, value]) => [key, JSON.stringify(value)]));
}

export function keyHashOf({ virtualKey }: BenchTenant): KeyHash {
  return createHash("sha256").update(virtualKey).digest("hex") as KeyHash;
}

function configOf(tenant: BenchTenant, now: number): TenantConfig {
  return {
    ...DEFAULT_BUDGET,
    tenantId: tenant.tenantId,
    name: null,
    subject: { kind: "key", id: keyHashOf(tenant) },
    budgetResetAt: now + 20 * DAY_MS,
    litellmKeyLastReset: null,
    subjectCreatedAt: now - 10 * DAY_MS,
    configVersion: 1,
    revision: 1,
    failPolicy: null,
    suspendedAt: null,
    subjectMissingAt: null,
    litellmBlockedAt: null,
    overrides: [],
    endedOverrides: 0,
    createdAt: null,
    otherKeys: [],
    carriedNanoUsd: 0n,
    refusal: null,
  };
}

function spendOf(config: TenantConfig, observedAt: number): SpendRecord {
  return {
    spendNanoUsd: SPEND,
    observedAt,
    readAt: observedAt,
    source: "litellm",
    periodStartedAt: config.subjectCreatedAt,
    resetsAt: config.budgetResetAt,
    spendRateNanoUsdPerSecond: 0n,
    epoch: 1,
  };
}

/** The same snapshots with their spend observed `ageMs` earlier. */
export function agedBy(ageMs: number, snapshots: Readonly<Record<string, string>>): Record<string, string> {
  const aged = Object.entries(snapshots).map(([key, text]) => {
    if (!key.startsWith("spend:")) return [key, text] as const;
    const { subject_id, record } = spendValue.parse(JSON.parse(text));
    const readAt = record.readAt === null ? null : record.readAt - ageMs;
    const older = { ...record, observedAt: record.observedAt - ageMs, readAt };
    return [key, JSON.stringify({ subject_id, record: spendRecordJson(older) })] as const;
  });
  return Object.fromEntries(aged);
}
