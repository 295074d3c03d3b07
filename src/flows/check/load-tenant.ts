// What is known of a tenant without reading LiteLLM: isolate memory, then KV, then Postgres. Joins, never replaces.

import type { Instant, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CachedTenant, Tombstone } from "../../records/edge-record.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { storeTimeoutMs, withTimeout } from "../waiting.ts";

type Deps = Pick<Ports, "memory" | "snapshots" | "tenants" | "timers" | "background" | "log" | "policy">;

export type LoadedTenant =
  | { readonly kind: "known"; readonly known: ConfiguredTenant }
  /** Deleted, or never there. */
  | { readonly kind: "gone" }
  /** Neither KV nor Postgres could say. */
  | { readonly kind: "unreachable" };

/** How long an isolate answers from what it remembers before it looks at KV again. */
const MEMORY_MS = 2_000;

/** A colo's copy of a tombstone may be a minute late, and the id may have been given anew meanwhile. */
const TOMBSTONE_DOUBT_MS = 120_000;

/** `told` is what Postgres has said in this request already, if it was asked. */
export async function loadTenant(
  input: { tenantId: TenantId; fromDatabase: ConfiguredTenant | null; now: Instant },
  deps: Deps,
): Promise<LoadedTenant> {
  const { tenantId, fromDatabase, now } = input;
  const remembered = deps.memory.tenant(tenantId);
  if (fromDatabase !== null) return keep(joinCached(remembered, fromDatabase), now, deps);
  if (isConfigured(remembered) && now - remembered.checkedAt < MEMORY_MS) return { kind: "known", known: remembered };

  const cached = await withTimeout(deps.snapshots.tenant(tenantId), storeTimeoutMs(deps), deps);
  if (cached.kind === "failed") deps.log.error("kv read of a tenant failed", cached.error, { tenant_id: tenantId });
  if (cached.kind !== "came") return loadFromPostgres({ tenantId, remembered, now }, deps);
  if ("deletedRevision" in cached.value) return loadDeleted({ tenantId, remembered, now }, cached.value, deps);
  const known = joinCached(remembered, cached.value);
  // A figure without its config still counts: Postgres' may be an older one.
  return isConfigured(known) ? keep(known, now, deps) : loadFromPostgres({ tenantId, remembered: known, now }, deps);
}

/** A tombstone may be older than the tenant that was created after it: what is known newer wins, and Postgres settles. */
async function loadDeleted(input: Lookup, tombstone: Tombstone, deps: Deps): Promise<LoadedTenant> {
  const { tenantId, remembered, now } = input;
  if (isConfigured(remembered) && remembered.config.revision > tombstone.deletedRevision) {
    return loadFromPostgres(input, deps);
  }
  const isRecent = now - tombstone.deletedAt < TOMBSTONE_DOUBT_MS;
  return isRecent ? loadFromPostgres({ ...input, remembered: null }, deps) : forget(tenantId, deps);
}

interface Lookup {
  readonly tenantId: TenantId;
  readonly remembered: CachedTenant | null;
  readonly now: Instant;
}

async function loadFromPostgres(input: Lookup, deps: Deps): Promise<LoadedTenant> {
  const { tenantId, remembered, now } = input;
  const load = deps.tenants.load(tenantId);
  deps.background(
    "write a missing config snapshot",
    load.then((stored) => stored && deps.snapshots.writeConfig(stored.config)),
  );
  const stored = await withTimeout(load, storeTimeoutMs(deps), deps);
  if (stored.kind === "came") {
    return stored.value === null ? forget(tenantId, deps) : keep(joinCached(remembered, stored.value), now, deps);
  }
  if (stored.kind === "failed")
    deps.log.error("postgres read of a tenant failed", stored.error, { tenant_id: tenantId });
  return isConfigured(remembered) ? { kind: "known", known: remembered } : { kind: "unreachable" };
}

function isConfigured<K extends CachedTenant>(known: K | null): known is K & ConfiguredTenant {
  return known !== null && known.config !== null;
}

function keep(known: ConfiguredTenant, now: Instant, deps: Deps): LoadedTenant {
  deps.memory.rememberTenant(known.config.tenantId, known, now);
  return { kind: "known", known };
}

function forget(tenantId: TenantId, deps: Deps): LoadedTenant {
  deps.memory.forgetTenant(tenantId);
  return { kind: "gone" };
}
