// Resolves a key hash to a tenant: isolate memory, KV, Postgres and, for keys of a team tenant, LiteLLM. Never sees a
// raw key.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { publishTenantOfKey, writeConfig } from "../edge/publish.ts";
import { storeTimeoutMs, valueOrNull, withTimeout } from "../waiting.ts";

type Deps = Pick<
  Ports,
  "memory" | "snapshots" | "tenants" | "litellm" | "unknownCallers" | "timers" | "background" | "log" | "policy"
>;

/** A lookup in Postgres also returns the tenant's config and spend. */
type FoundInPostgres =
  | { readonly kind: "tenant"; readonly tenantId: TenantId; readonly known: ConfiguredTenant }
  | NotFound;

type NotFound = Exclude<FoundTenant, { kind: "tenant" }>;

export type FoundTenant =
  /** `known` is set when the lookup read Postgres, which returns config and spend too. */
  | { readonly kind: "tenant"; readonly tenantId: TenantId; readonly known: ConfiguredTenant | null }
  | { readonly kind: "unknown" }
  | { readonly kind: "too_many_unknown" }
  /** Neither KV nor Postgres answered. */
  | { readonly kind: "unreachable" };

/** How long an address that keeps sending unknown keys is refused without a read of Postgres. */
const RATE_LIMIT_SECONDS = 10;

interface Input {
  readonly keyHash: KeyHash;
  /** Null when LiteLLM asks: it has verified the key, so the caller is not counted. */
  readonly callerAddress: string | null;
  /** The key's team, or null for no team, when LiteLLM has sent it. Undefined: read it from LiteLLM. */
  readonly teamId?: string | null | undefined;
  readonly now: Instant;
}

export async function findTenant(input: Input, deps: Deps): Promise<FoundTenant> {
  const { keyHash, now } = input;
  const remembered = deps.memory.tenantOfKey(keyHash, now);
  if (remembered === null) return countUnknown(input, deps);
  if (remembered !== undefined) return { kind: "tenant", tenantId: remembered, known: null };

  const cached = await withTimeout(deps.snapshots.tenantOfKey(keyHash), storeTimeoutMs(deps), deps);
  if (cached.kind === "failed") deps.log.error("kv key read failed", cached.error);
  if (cached.kind === "done" && cached.value !== null) {
    deps.memory.rememberTenantOfKey(keyHash, cached.value, now);
    return { kind: "tenant", tenantId: cached.value, known: null };
  }
  if (input.callerAddress !== null && deps.memory.isRateLimited(input.callerAddress, now))
    return { kind: "too_many_unknown" };
  return findInPostgres(input, deps);
}

/**
 * Resolves the key in Postgres, because the edge's cached entry led to a deleted tenant. Removes that entry when
 * Postgres does not know the key.
 */
export async function findTenantUncached(input: Input, deps: Deps): Promise<FoundInPostgres> {
  deps.memory.forgetTenantOfKey(input.keyHash);
  const found = await findInPostgres(input, deps);
  if (found.kind === "unknown" || found.kind === "too_many_unknown") {
    deps.background(
      "kv key write",
      publishTenantOfKey({ keyHash: input.keyHash, tenantId: null, now: input.now }, deps),
    );
  }
  return found;
}

async function findInPostgres(input: Input, deps: Deps): Promise<FoundInPostgres> {
  const { keyHash, now } = input;
  const search = deps.tenants.findByKey(keyHash);
  // Continues in the background of a slow answer, so that the next check of this key finds it in memory.
  deps.background(
    "kv key write",
    search.then(({ tenant }) => tenant && remember(keyHash, tenant, now, deps)),
  );
  const found = await withTimeout(search, storeTimeoutMs(deps), deps);
  if (found.kind !== "done") return unreachable(found, deps);
  if (found.value.tenant !== null) return tenantFound(found.value.tenant);
  if (!found.value.mayBeInTeam) return refuseUnknown(input, deps);
  const throughTeam = findThroughTeam(input, deps);
  // LiteLLM may take longer than the caller can wait; the next check of this key then finds the result in memory.
  deps.background("litellm team lookup", throughTeam);
  return throughTeam;
}

/** Resolves the key through its team in LiteLLM. The keys of a team tenant need not be registered in Bursar. */
async function findThroughTeam(input: Input, deps: Deps): Promise<FoundInPostgres> {
  const { keyHash, now } = input;
  let { teamId } = input;
  if (teamId === undefined) {
    const litellmRow = await deps.litellm.readSubject({ kind: "key", id: keyHash }, { tries: 1 });
    if (!litellmRow.ok)
      return litellmRow.failure.kind === "not_found" ? refuseUnknown(input, deps) : { kind: "unreachable" };
    teamId = litellmRow.value.teamId;
  }
  if (teamId === null) return refuseUnknown(input, deps);
  const search = deps.tenants.findBySubject({ kind: "team", id: teamId });
  deps.background(
    "kv key write",
    search.then((tenant) => tenant && remember(keyHash, tenant, now, deps)),
  );
  const found = await withTimeout(search, storeTimeoutMs(deps), deps);
  if (found.kind !== "done") return unreachable(found, deps);
  return found.value === null ? refuseUnknown(input, deps) : tenantFound(found.value);
}

function unreachable(outcome: { kind: "slow" } | { kind: "failed"; error: unknown }, { log }: Deps): NotFound {
  if (outcome.kind === "failed") log.error("postgres key read failed", outcome.error);
  return { kind: "unreachable" };
}

function tenantFound(tenant: TenantRecord): FoundInPostgres {
  const { config, spend } = tenant;
  return { kind: "tenant", tenantId: config.tenantId, known: { config, spend } };
}

async function remember(keyHash: KeyHash, { config }: TenantRecord, now: Instant, deps: Deps): Promise<void> {
  const expires = config.subject.kind === "team";
  await Promise.all([
    publishTenantOfKey({ keyHash, tenantId: config.tenantId, expires, now }, deps),
    writeConfig(config, now, deps),
  ]);
}

/** Remembers for a minute that the key has no tenant. Further checks do not extend the minute. */
function refuseUnknown(input: Input, deps: Deps): Promise<NotFound> {
  deps.memory.rememberTenantOfKey(input.keyHash, null, input.now);
  return countUnknown(input, deps);
}

/** Counts the caller, so that an address that guesses keys soon causes no more reads of Postgres. */
async function countUnknown({ callerAddress, now }: Input, deps: Deps): Promise<NotFound> {
  if (callerAddress === null) return { kind: "unknown" };
  const count = deps.unknownCallers.allows(callerAddress);
  const isAllowed = await valueOrNull("unknown caller count", count, storeTimeoutMs(deps), deps);
  if (isAllowed ?? true) return { kind: "unknown" };
  deps.memory.rateLimit(callerAddress, now + RATE_LIMIT_SECONDS * 1_000);
  return { kind: "too_many_unknown" };
}
