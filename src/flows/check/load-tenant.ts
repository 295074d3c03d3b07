// What is known of a tenant without reading LiteLLM: isolate memory, then KV, then Postgres. Joins, never replaces.

import type { Instant, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { KnownTenant, Tombstone } from "../../records/edge-record.ts";
import { type ConfiguredTenant, joinKnown } from "../edge/cached-tenant.ts";
import { patiently, storePatienceMs } from "../waiting.ts";

type Deps = Pick<Ports, "memory" | "snapshots" | "tenants" | "timers" | "background" | "log" | "policy">;

export type RecalledTenant =
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
export async function recallTenant(
  input: { tenantId: TenantId; told: ConfiguredTenant | null; now: Instant },
  deps: Deps,
): Promise<RecalledTenant> {
  const { tenantId, told, now } = input;
  const remembered = deps.memory.tenant(tenantId);
  if (told !== null) return keep(joinKnown(remembered, told), now, deps);
  if (isConfigured(remembered) && now - remembered.checkedAt < MEMORY_MS) return { kind: "known", known: remembered };

  const cached = await patiently(deps.snapshots.tenant(tenantId), storePatienceMs(deps), deps);
  if (cached.kind === "failed") deps.log.error("kv read of a tenant failed", cached.error, { tenant_id: tenantId });
  if (cached.kind !== "came") return recallFromPostgres({ tenantId, remembered, now }, deps);
  if ("deletedRevision" in cached.value) return recallDeleted({ tenantId, remembered, now }, cached.value, deps);
  const known = joinKnown(remembered, cached.value);
  // A figure without its config still counts: Postgres' may be an older one.
  return isConfigured(known) ? keep(known, now, deps) : recallFromPostgres({ tenantId, remembered: known, now }, deps);
}

/** A tombstone may be older than the tenant that was created after it: what is known newer wins, and Postgres settles. */
async function recallDeleted(input: Lookup, tombstone: Tombstone, deps: Deps): Promise<RecalledTenant> {
  const { tenantId, remembered, now } = input;
  if (isConfigured(remembered) && remembered.config.revision > tombstone.deletedRevision) {
    return recallFromPostgres(input, deps);
  }
  const isRecent = now - tombstone.deletedAt < TOMBSTONE_DOUBT_MS;
  return isRecent ? recallFromPostgres({ ...input, remembered: null }, deps) : forget(tenantId, deps);
}

interface Lookup {
  readonly tenantId: TenantId;
  readonly remembered: KnownTenant | null;
  readonly now: Instant;
}

async function recallFromPostgres(input: Lookup, deps: Deps): Promise<RecalledTenant> {
  const { tenantId, remembered, now } = input;
  const load = deps.tenants.load(tenantId);
  deps.background(
    "write a missing config snapshot",
    load.then((stored) => stored && deps.snapshots.writeConfig(stored.config)),
  );
  const stored = await patiently(load, storePatienceMs(deps), deps);
  if (stored.kind === "came") {
    return stored.value === null ? forget(tenantId, deps) : keep(joinKnown(remembered, stored.value), now, deps);
  }
  if (stored.kind === "failed")
    deps.log.error("postgres read of a tenant failed", stored.error, { tenant_id: tenantId });
  return isConfigured(remembered) ? { kind: "known", known: remembered } : { kind: "unreachable" };
}

function isConfigured<K extends KnownTenant>(known: K | null): known is K & ConfiguredTenant {
  return known !== null && known.config !== null;
}

function keep(known: ConfiguredTenant, now: Instant, deps: Deps): RecalledTenant {
  deps.memory.rememberTenant(known.config.tenantId, known, now);
  return { kind: "known", known };
}

function forget(tenantId: TenantId, deps: Deps): RecalledTenant {
  deps.memory.forgetTenant(tenantId);
  return { kind: "gone" };
}
