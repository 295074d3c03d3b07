// Writes a tenant directly into Postgres, LiteLLM and optionally KV, so that the isolate has not cached it and the test
// controls the age of each copy.

import { createHash, randomBytes } from "node:crypto";
import pg from "pg";
import { configJson, spendJson } from "../../../src/adapters/cloudflare/kv-codec.ts";
import { nanoUsdFromNumber } from "../../../src/budget/money.ts";
import type { FailPolicy, KeyHash, TenantConfig, TenantId } from "../../../src/budget/tenant.ts";
import { aTenantId, send } from "./api.ts";
import type { Bursar } from "./bursar.ts";

export interface Seed {
  readonly maxBudget?: number;
  readonly failPolicy?: FailPolicy;
  /** The snapshot in KV. Without it KV has none. */
  readonly snapshot?: {
    readonly spend: number;
    readonly ageMs: number;
    readonly resetsInMs?: number;
    /** US dollars a second. */
    readonly rate?: number;
  };
  /** LiteLLM's row. */
  readonly spend?: number;
  /** Leaves the tenant out of Postgres too, so that only LiteLLM has the key. */
  readonly inPostgres?: boolean;
}

/** A Bursar, or a stack whose Worker has a KV that is never seeded. */
export type Seedable = Pick<Bursar, "stack"> & Partial<Pick<Bursar, "snapshots">>;

export interface SeededTenant {
  readonly tenantId: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

export async function seedTenant(bursar: Seedable, seed: Seed = {}): Promise<SeededTenant> {
  const tenantId = aTenantId();
  const key = `sk-${randomBytes(16).toString("hex")}`;
  const config = configOf(tenantId, createHash("sha256").update(key).digest("hex"), seed);
  await seedLiteLlm(bursar, key, tenantId, seed);
  if (seed.inPostgres !== false) await seedPostgres(bursar, config);
  if (seed.snapshot !== undefined) await seedSnapshots(bursar, config, seed.snapshot);
  return { tenantId, key };
}

function configOf(tenantId: string, hash: string, { maxBudget = 100, failPolicy = "open" }: Seed): TenantConfig {
  return {
    tenantId: tenantId as TenantId,
    name: null,
    subject: { kind: "key", id: hash as KeyHash },
    maxBudgetNanoUsd: nanoUsdFromNumber(maxBudget) ?? 0n,
    alertThreshold: 8_000n,
    graceThreshold: 11_000n,
    budgetDuration: "30d",
    budgetResetAt: null,
    litellmKeyLastReset: null,
    subjectCreatedAt: Date.now() - 10 * DAY_MS,
    configVersion: 1,
    revision: 1,
    enforcement: "enforce",
    failPolicy,
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

/** Without a mark in LiteLLM, the first read would find drift and cause a sync. */
const MARK_NONCE = "00000000-0000-4000-8000-000000000000";

async function seedLiteLlm({ stack }: Seedable, key: string, tenantId: string, seed: Seed): Promise<void> {
  const { maxBudget = 100, spend = 0 } = seed;
  const created = await send("POST", `${stack.litellmUrl}/key/generate`, {
    token: stack.litellmMasterKey,
    body: {
      key,
      key_alias: tenantId,
      max_budget: Number((maxBudget * 1.1).toFixed(9)),
      soft_budget: Number((maxBudget * 0.8).toFixed(9)),
      budget_duration: "30d",
      metadata: { tenant_id: tenantId, bursar_mark: `${MARK_NONCE}.of-the-seed` },
    },
  });
  if (created.status !== 200) throw new Error(`LiteLLM did not create the key: ${created.status}`);
  if (spend > 0) stack.litellm?.setSpend(key, spend);
}

async function seedPostgres({ stack }: Seedable, config: TenantConfig): Promise<void> {
  const client = new pg.Client({ connectionString: stack.postgres.databaseUrl });
  await client.connect();
  try {
    await client.query(
      `insert into tenant_configs (tenant_id, subject_kind, subject_id, max_budget, fail_policy, subject_created_at, litellm_sync,
         mark_nonce) values ($1, 'key', $2, $3, $4, $5, 'synced', $6)`,
      [
        config.tenantId,
        config.subject.id,
        Number(config.maxBudgetNanoUsd) / 1e9,
        config.failPolicy,
        new Date(config.subjectCreatedAt),
        MARK_NONCE,
      ],
    );
    await client.query("insert into tenant_keys (key_hash, tenant_id) values ($1, $2)", [
      config.subject.id,
      config.tenantId,
    ]);
  } finally {
    await client.end();
  }
}

async function seedSnapshots(
  bursar: Seedable,
  config: TenantConfig,
  snapshot: NonNullable<Seed["snapshot"]>,
): Promise<void> {
  const observedAt = Date.now() - snapshot.ageMs;
  const value = spendJson(config, {
    spendNanoUsd: nanoUsdFromNumber(snapshot.spend) ?? 0n,
    observedAt,
    readAt: observedAt,
    source: "litellm",
    periodStartedAt: config.subjectCreatedAt,
    resetsAt: Date.now() + (snapshot.resetsInMs ?? 5 * DAY_MS),
    spendRateNanoUsdPerSecond: nanoUsdFromNumber(snapshot.rate ?? 0) ?? 0n,
    epoch: 1,
  });
  const kv = await bursar.snapshots?.();
  if (kv === undefined) throw new Error("there is no KV to seed");
  await kv.put(`config:${config.tenantId}`, JSON.stringify(configJson(config)));
  await kv.put(`spend:${config.tenantId}`, JSON.stringify(value));
  await kv.put(`tenant-of-key:${config.subject.id}`, JSON.stringify({ tenant_id: config.tenantId }));
}
