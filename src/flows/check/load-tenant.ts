// Loads a tenant without reading LiteLLM: isolate memory, then KV, then Postgres. Joins the copies, never replaces one.
// A slow store ends the waiting, never the learning: its answer reaches the memory.

import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CachedTenant, Tombstone } from "../../records/edge.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { rememberTenant, writeConfig } from "../edge/publish.ts";
import { storeTimeoutMs, withTimeout } from "../waiting.ts";

type Deps = Pick<Ports, "memory" | "snapshots" | "tenants" | "timers" | "clock" | "background" | "log" | "policy">;

export type LoadedTenant =
  | { readonly kind: "known"; readonly known: ConfiguredTenant }
  /** The tenant was deleted, or never existed. */
  | { readonly kind: "gone" }
  /** Neither KV nor Postgres answered. */
  | { readonly kind: "unreachable" };

/** KV does not decide. `fallback` is for when Postgres cannot be reached either. */
interface Undecided {
  readonly kind: "undecided";
  readonly fallback: ConfiguredTenant | null;
}

interface LoadInput {
  readonly tenantId: TenantId;
  readonly now: Instant;
}

/** How long an isolate answers from its memory before it reads KV again. */
const MEMORY_MS = 2_000;

/** A colo's copy of a KV value may be this old, so a memory no older serves as well while KV is slow. */
const COPY_MS = 30_000;

/** A colo's copy of a tombstone may be a minute old, and the tenant id may be in use again. */
const TOMBSTONE_DOUBT_MS = 120_000;

export async function loadTenant(input: LoadInput, deps: Deps): Promise<LoadedTenant> {
  const remembered = configured(deps.memory.tenant(input.tenantId));
  const ageMs = input.now - (deps.memory.tenant(input.tenantId)?.checkedAt ?? 0);
  if (remembered !== null && ageMs < MEMORY_MS) return { kind: "known", known: remembered };

  const fromKv = loadFromKv(input, deps);
  deps.background("kv tenant read", fromKv);
  const cached = await withTimeout(fromKv, storeTimeoutMs(deps), deps);
  // The load from KV never fails.
  const answer = cached.kind === "done" ? cached.value : null;
  if (answer?.kind === "undecided") {
    const isGone = answer.fallback === null && deps.memory.isGone(input.tenantId, null, input.now);
    return isGone ? { kind: "gone" } : loadFromPostgres(input, answer.fallback, deps);
  }
  if (answer !== null) return answer;
  if (remembered !== null && ageMs < COPY_MS) return { kind: "known", known: remembered };
  const stored = loadFromPostgres(input, remembered, deps);
  const late = fromKv.then((decided) => (decided.kind === "undecided" ? stored : decided));
  return Promise.race([late, stored.then((found) => (found.kind === "unreachable" ? late : found))]);
}

/** Never rejects. */
async function loadFromKv(input: LoadInput, deps: Deps): Promise<LoadedTenant | Undecided> {
  const { tenantId, now } = input;
  const { memory, snapshots, log } = deps;
  let cached: CachedTenant | Tombstone;
  try {
    cached = await snapshots.tenant(tenantId);
  } catch (error) {
    log.error("kv tenant read failed", error, { tenant_id: tenantId });
    return { kind: "undecided", fallback: configured(memory.tenant(tenantId)) };
  }
  const remembered = memory.tenant(tenantId);
  if ("deletedRevision" in cached) return loadDeleted(input, cached, deps);
  // The tombstone that this isolate has sent may not be there yet: KV takes one write a second.
  if (cached.config !== null && memory.isGone(tenantId, cached.config.revision, now)) return { kind: "gone" };
  // Spend without its config still counts, because Postgres may have older spend.
  const known = joinCached(remembered, cached);
  memory.rememberTenant(tenantId, known, now);
  const whole = configured(known);
  return whole === null ? { kind: "undecided", fallback: null } : { kind: "known", known: whole };
}

/** A newer tenant may have the id of the tombstone: when the isolate knows a newer revision, Postgres decides. */
function loadDeleted(
  { tenantId, now }: LoadInput,
  tombstone: Tombstone,
  { memory }: Deps,
): Undecided | Extract<LoadedTenant, { kind: "gone" }> {
  const remembered = configured(memory.tenant(tenantId));
  if (remembered !== null && remembered.config.revision > tombstone.deletedRevision) {
    return { kind: "undecided", fallback: remembered };
  }
  memory.forgetTenant(tenantId);
  return now - tombstone.deletedAt < TOMBSTONE_DOUBT_MS ? { kind: "undecided", fallback: null } : { kind: "gone" };
}

function loadFromPostgres(input: LoadInput, fallback: ConfiguredTenant | null, deps: Deps): Promise<LoadedTenant> {
  const loaded = loadStored(input, fallback, deps);
  deps.background("postgres tenant read", loaded);
  return loaded;
}

/** Never rejects. */
async function loadStored(
  { tenantId, now }: LoadInput,
  fallback: ConfiguredTenant | null,
  deps: Deps,
): Promise<LoadedTenant> {
  const { memory, tenants, log } = deps;
  try {
    const stored = await tenants.load(tenantId);
    if (stored === null) {
      memory.forgetTenant(tenantId);
      memory.rememberGone(tenantId, null, now);
      return { kind: "gone" };
    }
    deps.background("kv config write", writeConfig(stored.config, now, deps));
    return { kind: "known", known: rememberTenant({ config: stored.config, spend: stored.spend }, now, deps) };
  } catch (error) {
    log.error("postgres tenant read failed", error, { tenant_id: tenantId });
    memory.rememberStoreFailure(deps.clock());
    return fallback === null ? { kind: "unreachable" } : { kind: "known", known: fallback };
  }
}

function configured(known: CachedTenant | null): ConfiguredTenant | null {
  return known !== null && known.config !== null ? { config: known.config, spend: known.spend } : null;
}
