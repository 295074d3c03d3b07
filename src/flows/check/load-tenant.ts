// Loads a tenant without reading LiteLLM: isolate memory, then KV, then Postgres. Joins the copies, never replaces one.

import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CachedTenant, Tombstone } from "../../records/edge.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { writeConfig } from "../edge/publish.ts";
import { storeTimeoutMs, withTimeout } from "../waiting.ts";

type Deps = Pick<Ports, "memory" | "snapshots" | "tenants" | "timers" | "background" | "log" | "policy">;

export type LoadedTenant =
  | { readonly kind: "known"; readonly known: ConfiguredTenant }
  /** The tenant was deleted, or never existed. */
  | { readonly kind: "gone" }
  /** Neither KV nor Postgres answered. */
  | { readonly kind: "unreachable" };

/** How long an isolate answers from its memory before it reads KV again. */
const MEMORY_MS = 2_000;

/** A colo's copy of a tombstone may be a minute old, and the tenant id may be in use again. */
const TOMBSTONE_DOUBT_MS = 120_000;

/** `fromDatabase` is the tenant that this request has already read from Postgres, or null. */
export async function loadTenant(
  input: { tenantId: TenantId; fromDatabase: ConfiguredTenant | null; now: Instant },
  deps: Deps,
): Promise<LoadedTenant> {
  const { tenantId, fromDatabase, now } = input;
  const remembered = deps.memory.tenant(tenantId);
  if (fromDatabase !== null) return keep(joinCached(remembered, fromDatabase), now, deps);
  if (isConfigured(remembered) && now - remembered.checkedAt < MEMORY_MS) return { kind: "known", known: remembered };

  const cached = await withTimeout(deps.snapshots.tenant(tenantId), storeTimeoutMs(deps), deps);
  if (cached.kind === "failed") deps.log.error("kv tenant read failed", cached.error, { tenant_id: tenantId });
  if (cached.kind !== "done") return loadFromPostgres({ tenantId, remembered, now }, deps);
  if ("deletedRevision" in cached.value) return loadDeleted({ tenantId, remembered, now }, cached.value, deps);
  const known = joinCached(remembered, cached.value);
  // Spend without its config still counts, because Postgres may have older spend.
  return isConfigured(known) ? keep(known, now, deps) : loadFromPostgres({ tenantId, remembered: known, now }, deps);
}

/** A newer tenant may have the id of the tombstone: when the isolate knows a newer revision, Postgres decides. */
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
    "kv config write",
    load.then((stored) => stored && writeConfig(stored.config, now, deps)),
  );
  const stored = await withTimeout(load, storeTimeoutMs(deps), deps);
  if (stored.kind === "done") {
    return stored.value === null ? forget(tenantId, deps) : keep(joinCached(remembered, stored.value), now, deps);
  }
  if (stored.kind === "failed") deps.log.error("postgres tenant read failed", stored.error, { tenant_id: tenantId });
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
