// Lets the edge know what Postgres now says of a tenant. Never fails the change it follows: Postgres has it, and whatever
// could not be written here is read from there within a minute.

import type { Instant, TenantConfig } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { joinCached } from "./cached-tenant.ts";

export type PublishDeps = Pick<Ports, "memory" | "snapshots" | "spendQueue" | "log">;

/** KV has no compare-and-set: a slower writer may overtake us. Once soon, and once when every colo's copy has run out. */
const REWRITE_AFTER_SECONDS = [5, 65] as const;

/** Puts a config into KV, and remembers that it lies there. @throws when KV cannot be reached. */
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
    attempt("write a config snapshot", tenant, deps, () => writeConfig(config, deps)),
    ...queueRewrites(tenant, deps),
  ]);
}

/** With the first figure of a period, so that nobody is judged by the last one of the period before. */
export async function publishPeriod(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  await Promise.all([publishConfig(tenant, now, deps), writeSpend(tenant, deps)]);
}

async function writeSpend(tenant: TenantRecord, deps: PublishDeps): Promise<void> {
  const { config, spend } = tenant;
  if (spend === null) return;
  await attempt("write a spend snapshot", tenant, deps, () => deps.snapshots.writeSpend(config, spend));
}

/** Of a tenant that was not there before: nothing an earlier tenant of that id has left behind may speak for it. */
export async function publishNewTenant(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { tenantId, subject } = tenant.config;
  deps.memory.forgetTenant(tenantId);
  if (subject.kind === "key") deps.memory.rememberTenantOfKey(subject.id, tenantId, now);
  await Promise.all([
    publishPeriod(tenant, now, deps),
    subject.kind === "key" &&
      attempt("write the tenant of a key", tenant, deps, () => deps.snapshots.writeTenantOfKey(subject.id, tenantId)),
  ]);
}

export async function publishDeletion(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { tenantId, subject, revision } = tenant.config;
  deps.memory.forgetTenant(tenantId);
  if (subject.kind === "key") deps.memory.rememberTenantOfKey(subject.id, null, now);
  await Promise.all([
    attempt("write a tombstone", tenant, deps, () => deps.snapshots.writeDeleted(tenantId, revision, now)),
    subject.kind === "key" &&
      attempt("write the tenant of a key", tenant, deps, () => deps.snapshots.writeTenantOfKey(subject.id, null)),
    ...queueRewrites(tenant, deps),
  ]);
}

function queueRewrites(tenant: TenantRecord, deps: PublishDeps): Promise<void>[] {
  const message = { kind: "rewrite_config", tenant_id: tenant.config.tenantId } as const;
  return REWRITE_AFTER_SECONDS.map((seconds) =>
    attempt("queue a rewrite", tenant, deps, () => deps.spendQueue.send(message, seconds)),
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
    log.error(`could not ${what}`, error, { tenant_id: tenant.config.tenantId });
  }
}
