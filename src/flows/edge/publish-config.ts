// Publishes a tenant's config from Postgres to the edge. Never fails the change it follows: when KV cannot be written,
// checks read the config from Postgres within a minute.

import type { Instant } from "../../budget/instant.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { joinCached } from "./cached-tenant.ts";

export type PublishDeps = Pick<Ports, "memory" | "snapshots" | "spendQueue" | "log">;

/**
 * KV has no compare-and-set, so a slower writer may overwrite a newer config. Rewritten once soon, and once after every
 * colo's cached copy has expired.
 */
const REWRITE_AFTER_SECONDS = [5, 65] as const;

/** Writes a config to KV and remembers its revision in the isolate. @throws when KV cannot be reached. */
export async function writeConfig(
  config: TenantConfig,
  { memory, snapshots }: Pick<Ports, "memory" | "snapshots">,
): Promise<void> {
  await snapshots.writeConfig(config);
  memory.rememberWritten(config.tenantId, { revision: config.revision });
}

export async function publishConfig(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { config, spend } = tenant;
  deps.memory.rememberTenant(config.tenantId, joinCached(deps.memory.tenant(config.tenantId), { config, spend }), now);
  await Promise.all([
    attempt("kv config write", tenant, deps, () => writeConfig(config, deps)),
    ...queueRewrites(tenant, deps),
  ]);
}

/** Publishes config and spend together, so that no check uses the spend of the period before. */
export async function publishPeriod(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  await Promise.all([publishConfig(tenant, now, deps), writeSpend(tenant, deps)]);
}

async function writeSpend(tenant: TenantRecord, deps: PublishDeps): Promise<void> {
  const { config, spend } = tenant;
  if (spend === null) return;
  await attempt("kv spend write", tenant, deps, () => deps.snapshots.writeSpend(config, spend));
}

/** Publishes a new tenant. Drops whatever the isolate cached of an earlier tenant with the same id. */
export async function publishNewTenant(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { tenantId, subject } = tenant.config;
  deps.memory.forgetTenant(tenantId);
  if (subject.kind === "key") deps.memory.rememberTenantOf(subject.id, tenantId, now);
  await Promise.all([
    publishPeriod(tenant, now, deps),
    subject.kind === "key" &&
      attempt("kv key write", tenant, deps, () => deps.snapshots.writeOwnerOf(subject.id, tenantId)),
  ]);
}

export async function publishDeletion(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { tenantId, subject, revision } = tenant.config;
  deps.memory.forgetTenant(tenantId);
  if (subject.kind === "key") deps.memory.rememberTenantOf(subject.id, null, now);
  await Promise.all([
    attempt("kv tombstone write", tenant, deps, () => deps.snapshots.writeDeleted(tenantId, revision, now)),
    subject.kind === "key" &&
      attempt("kv key write", tenant, deps, () => deps.snapshots.writeOwnerOf(subject.id, null)),
    ...queueRewrites(tenant, deps),
  ]);
}

function queueRewrites(tenant: TenantRecord, deps: PublishDeps): Promise<void>[] {
  const message = { kind: "rewrite_config", tenant_id: tenant.config.tenantId } as const;
  return REWRITE_AFTER_SECONDS.map((seconds) =>
    attempt("config rewrite enqueue", tenant, deps, () => deps.spendQueue.send(message, seconds)),
  );
}

async function attempt(
  what: string,
  tenant: TenantRecord,
  { log }: PublishDeps,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error(`${what} failed`, error, { tenant_id: tenant.config.tenantId });
  }
}
