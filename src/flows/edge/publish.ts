// Publishes tenants to the edge: to this isolate's memory, and to KV for all others. Never fails what it follows, be it
// a change, a check or a queue message: KV refuses a second write of a key within a second, and may be away. What KV
// does not take is logged once, and made good by
// - the adapter, which repeats the write for some seconds;
// - for a change in Postgres, the rewrites below;
// - for spend, the next observation that differs from what KV shows (spend-cadence.ts), and the hourly sweep;
// - for what a check found, the next check that does not find it in KV.

import type { Instant } from "../../budget/instant.ts";
import { foldEnded } from "../../budget/limit.ts";
import type { SpendRecord } from "../../budget/spend.ts";
import type { KeyHash, Subject, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { UNMANAGED } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CachedOwner, CallerName } from "../../records/edge.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { type ConfiguredTenant, joinCached } from "./cached-tenant.ts";
import { isWorthASnapshot } from "./spend-cadence.ts";

export type EdgeDeps = Pick<Ports, "memory" | "snapshots" | "log">;
export type PublishDeps = EdgeDeps & Pick<Ports, "spendQueue">;

/**
 * KV has no compare-and-set, so a slower writer may overwrite a newer config. Rewritten once soon, and once after every
 * colo's cached copy has expired.
 */
const REWRITE_AFTER_SECONDS = [5, 65] as const;

/**
 * An isolate writes a revision once a minute at most. A colo may show its copy from before a write for half a minute,
 * and a check that does not find the config in KV writes it; after a minute KV may have lost it.
 */
const SAME_REVISION_SECONDS = 60;

/** Publishes a change of a tenant in Postgres. */
export async function publishConfig(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { config, spend } = tenant;
  rememberTenant({ config, spend }, now, deps);
  await Promise.all([writeConfig(config, now, deps), ...queueRewrites(config, deps)]);
}

/** Publishes config and spend together, so that no check uses the spend of the period before. */
export async function publishPeriod(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  await Promise.all([publishConfig(tenant, now, deps), writeSpend(tenant.config, tenant.spend, deps)]);
}

/** Publishes a new tenant. Drops whatever the isolate cached of an earlier tenant with the same id. */
export async function publishNewTenant(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { tenantId, subject } = tenant.config;
  deps.memory.forgetTenant(tenantId);
  await Promise.all([
    publishPeriod(tenant, now, deps),
    publishOwner({ caller: callerOf(subject), owner: tenantId, now }, deps),
  ]);
}

export async function publishDeletion(tenant: TenantRecord, now: Instant, deps: PublishDeps): Promise<void> {
  const { config } = tenant;
  const { subject } = config;
  await Promise.all([
    publishGone(config, now, deps),
    publishOwner({ caller: callerOf(subject), owner: null, now }, deps),
    ...queueRewrites(config, deps),
  ]);
}

/** Publishes that Postgres has no such tenant any more. `config` is what the edge still has. */
export async function publishGone(config: TenantConfig, now: Instant, deps: EdgeDeps): Promise<void> {
  deps.memory.forgetTenant(config.tenantId);
  deps.memory.rememberGone(config.tenantId, config.revision, now);
  await writeDeleted(config, now, deps);
}

export interface FoundOwner {
  readonly caller: CallerName;
  /** Null: the caller's tenant is gone, and the next check looks it up. */
  readonly owner: CachedOwner;
  /** True for a key resolved through its team, because the key may move to another team. */
  readonly expires?: boolean;
  readonly now: Instant;
}

/** Publishes whose a key or team is. */
export async function publishOwner({ caller, owner, expires = false, now }: FoundOwner, deps: EdgeDeps): Promise<void> {
  const tenantId = owner === UNMANAGED ? null : owner;
  deps.memory.rememberTenantOf(caller, tenantId, now);
  await attempt("kv key write", tenantId, deps, () => deps.snapshots.writeOwnerOf(caller, owner, { expires }));
}

/** Publishes whose the keys are. `tenantId` null: they belong to no tenant any more. */
export async function publishKeys(
  { keyHashes, tenantId, now }: { keyHashes: readonly KeyHash[]; tenantId: TenantId | null; now: Instant },
  deps: EdgeDeps,
): Promise<void> {
  await Promise.all(keyHashes.map((caller) => publishOwner({ caller, owner: tenantId, now }, deps)));
}

const callerOf = ({ kind, id }: Subject): CallerName => (kind === "key" ? id : `team:${id}`);

export interface SpendReadByCheck {
  readonly config: TenantConfig;
  /** What the check knew before; null when it knew nothing. */
  readonly before: SpendRecord | null;
  readonly spend: SpendRecord;
  readonly now: Instant;
}

/** Publishes spend that a check has read from LiteLLM, when it is worth a write. */
export async function publishRead({ config, before, spend, now }: SpendReadByCheck, deps: EdgeDeps): Promise<void> {
  // What Gate has added is this isolate's own: the others learn of the call by its event, or by a read.
  if (spend.source === "gate" || !isWorthASnapshot(config, before, spend, now, deps)) return;
  await writeSpend(config, spend, deps);
}

/** Joins a copy of a tenant into the isolate's memory. Returns both copies joined. */
export function rememberTenant(known: ConfiguredTenant, now: Instant, deps: Pick<Ports, "memory">): ConfiguredTenant {
  const { tenantId } = known.config;
  const joined = joinCached(deps.memory.tenant(tenantId), known);
  deps.memory.rememberTenant(tenantId, joined, now);
  return joined;
}

/**
 * Writes a config from Postgres to KV, unless this isolate has just written it, or a newer one. KV keeps an equal or
 * newer one; `isRewrite` replaces an equal one too.
 */
export async function writeConfig(
  config: TenantConfig,
  now: Instant,
  deps: EdgeDeps,
  options = { isRewrite: false },
): Promise<void> {
  const { memory, snapshots } = deps;
  const { tenantId, revision } = config;
  const written = memory.written(tenantId).revision;
  const isDue = memory.throttle(`config:${tenantId}:${revision}`, SAME_REVISION_SECONDS, now);
  if (written > revision || (written === revision && !isDue && !options.isRewrite)) return;
  await attempt("kv config write", tenantId, deps, async () => {
    await snapshots.writeConfig(foldEnded(config, now), options);
    memory.rememberWritten(tenantId, { revision });
  });
}

/** Writes a tombstone over the config. */
export async function writeDeleted(
  config: Pick<TenantConfig, "tenantId" | "revision">,
  now: Instant,
  deps: EdgeDeps,
  options = { isRewrite: false },
): Promise<void> {
  const { tenantId, revision } = config;
  await attempt("kv tombstone write", tenantId, deps, () =>
    deps.snapshots.writeDeleted(tenantId, revision, now, options),
  );
}

/** Writes spend to KV, where it joins the spend that is there. */
export async function writeSpend(config: TenantConfig, spend: SpendRecord | null, deps: EdgeDeps): Promise<void> {
  if (spend === null) return;
  await attempt("kv spend write", config.tenantId, deps, async () => {
    await deps.snapshots.writeSpend(config, spend);
    deps.memory.rememberWritten(config.tenantId, { spend });
  });
}

function queueRewrites({ tenantId }: TenantConfig, deps: PublishDeps): Promise<void>[] {
  const message = { kind: "rewrite_config", tenant_id: tenantId } as const;
  return REWRITE_AFTER_SECONDS.map((seconds) =>
    attempt("config rewrite enqueue", tenantId, deps, () => deps.spendQueue.send(message, seconds)),
  );
}

async function attempt(
  what: string,
  tenantId: TenantId | null,
  { log }: Pick<Ports, "log">,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error(`${what} failed`, error, { tenant_id: tenantId });
  }
}
