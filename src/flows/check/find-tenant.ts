// Key hash → tenant: isolate memory, KV, Postgres and, for keys of a team tenant, LiteLLM. Never sees a raw key.

import type { Instant, KeyHash, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import type { ConfiguredTenant } from "../edge/cached-tenant.ts";
import { storeTimeoutMs, valueOrNull, withTimeout } from "../waiting.ts";

type Deps = Pick<
  Ports,
  "memory" | "snapshots" | "tenants" | "litellm" | "unknownCallers" | "timers" | "background" | "log" | "policy"
>;

/** Postgres tells everything else of a tenant too. */
type FoundInPostgres =
  | { readonly kind: "tenant"; readonly tenantId: TenantId; readonly known: ConfiguredTenant }
  | NotFound;

type NotFound = Exclude<FoundTenant, { kind: "tenant" }>;

export type FoundTenant =
  /** `known` is set when Postgres had to be asked, and so told everything else too. */
  | { readonly kind: "tenant"; readonly tenantId: TenantId; readonly known: ConfiguredTenant | null }
  | { readonly kind: "unknown" }
  | { readonly kind: "too_many_unknown" }
  /** Neither KV nor Postgres could say. */
  | { readonly kind: "unreachable" };

/** How long an address that keeps asking for unknown keys is refused before Postgres is asked again. */
const TURNED_AWAY_SECONDS = 10;

interface Input {
  readonly keyHash: KeyHash;
  /** Null: LiteLLM itself asks, of a key that it has checked. Nobody is guessing, so nobody is counted. */
  readonly callerAddress: string | null;
  /** The key's team, or null, where LiteLLM has said so. Left out, LiteLLM is asked. */
  readonly teamId?: string | null | undefined;
  readonly now: Instant;
}

export async function findTenant(input: Input, deps: Deps): Promise<FoundTenant> {
  const { keyHash, now } = input;
  const remembered = deps.memory.tenantOfKey(keyHash, now);
  if (remembered === null) return countUnknown(input, deps);
  if (remembered !== undefined) return { kind: "tenant", tenantId: remembered, known: null };

  const cached = await withTimeout(deps.snapshots.tenantOfKey(keyHash), storeTimeoutMs(deps), deps);
  if (cached.kind === "failed") deps.log.error("kv read of a key failed", cached.error);
  if (cached.kind === "came" && cached.value !== null) {
    deps.memory.rememberTenantOfKey(keyHash, cached.value, now);
    return { kind: "tenant", tenantId: cached.value, known: null };
  }
  if (input.callerAddress !== null && deps.memory.isRateLimited(input.callerAddress, now))
    return { kind: "too_many_unknown" };
  return findInPostgres(input, deps);
}

/**
 * The same without what the edge remembers, which has led to a tenant that is gone. Whoever still asks with such a key
 * is known by Postgres, or not at all.
 */
export async function findTenantAnew(input: Input, deps: Deps): Promise<FoundInPostgres> {
  deps.memory.forgetTenantOfKey(input.keyHash);
  const found = await findInPostgres(input, deps);
  if (found.kind === "unknown" || found.kind === "too_many_unknown") {
    deps.background("forget the tenant of a key", deps.snapshots.writeTenantOfKey(input.keyHash, null));
  }
  return found;
}

async function findInPostgres(input: Input, deps: Deps): Promise<FoundInPostgres> {
  const { keyHash, now } = input;
  const search = deps.tenants.findByKey(keyHash);
  // Goes on behind a slow answer, so that the next check of this key finds it.
  deps.background(
    "remember the tenant of a key",
    search.then(({ tenant }) => tenant && remember(keyHash, tenant, now, deps)),
  );
  const found = await withTimeout(search, storeTimeoutMs(deps), deps);
  if (found.kind !== "came") return unreachable(found, deps);
  if (found.value.tenant !== null) return tenantFound(found.value.tenant);
  if (!found.value.mayBeInTeam) return refuseUnknown(input, deps);
  const throughTeam = findThroughTeam(input, deps);
  // LiteLLM may take longer than the caller can wait: the next check of this key then finds what it said.
  deps.background("find the team of a key", throughTeam);
  return throughTeam;
}

/** A team's keys need not be registered: LiteLLM knows which team a key belongs to. */
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
    "remember the tenant of a key",
    search.then((tenant) => tenant && remember(keyHash, tenant, now, deps)),
  );
  const found = await withTimeout(search, storeTimeoutMs(deps), deps);
  if (found.kind !== "came") return unreachable(found, deps);
  return found.value === null ? refuseUnknown(input, deps) : tenantFound(found.value);
}

function unreachable(outcome: { kind: "slow" } | { kind: "failed"; error: unknown }, { log }: Deps): NotFound {
  if (outcome.kind === "failed") log.error("postgres read of a key failed", outcome.error);
  return { kind: "unreachable" };
}

function tenantFound(tenant: TenantRecord): FoundInPostgres {
  const { config, spend } = tenant;
  return { kind: "tenant", tenantId: config.tenantId, known: { config, spend } };
}

async function remember(keyHash: KeyHash, { config }: TenantRecord, now: Instant, deps: Deps): Promise<void> {
  deps.memory.rememberTenantOfKey(keyHash, config.tenantId, now);
  const expires = config.subject.kind === "team";
  await Promise.all([
    deps.snapshots.writeTenantOfKey(keyHash, config.tenantId, { expires }),
    deps.snapshots.writeConfig(config),
  ]);
}

/** Remembers that the key is nobody's, from now for a minute: asking again does not make it longer. */
function refuseUnknown(input: Input, deps: Deps): Promise<NotFound> {
  deps.memory.rememberTenantOfKey(input.keyHash, null, input.now);
  return countUnknown(input, deps);
}

/** Counts the caller, so that one who goes on guessing keys soon loads Postgres no more. */
async function countUnknown({ callerAddress, now }: Input, deps: Deps): Promise<NotFound> {
  if (callerAddress === null) return { kind: "unknown" };
  const count = deps.unknownCallers.allows(callerAddress);
  const isAllowed = await valueOrNull("count of an unknown caller", count, storeTimeoutMs(deps), deps);
  if (isAllowed ?? true) return { kind: "unknown" };
  deps.memory.rateLimit(callerAddress, now + TURNED_AWAY_SECONDS * 1_000);
  return { kind: "too_many_unknown" };
}
