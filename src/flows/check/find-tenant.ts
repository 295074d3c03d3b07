// Finds the tenant of a caller: isolate memory, KV, Postgres and, for keys that Postgres does not have, LiteLLM. A
// deadline ends the waiting, never the search: it goes on, and what it finds is remembered. Never sees a raw key.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { UNMANAGED } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { CallerName } from "../../records/edge.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { publishOwner, rememberTenant, writeConfig } from "../edge/publish.ts";
import { type ResolveDeps, resolveByMark } from "../keys/resolve-by-mark.ts";
import { storeTimeoutMs, withTimeout } from "../waiting.ts";
import { type Deadline, pollMemory } from "./deadline.ts";
import { giveBackLookUp, mayLookUp } from "./look-up-ceiling.ts";

export type FindDeps = ResolveDeps & Pick<Ports, "timers" | "clock" | "background">;

export type FoundTenant =
  | { readonly kind: "tenant"; readonly tenantId: TenantId }
  | { readonly kind: "unknown" }
  /** The caller's network has sent too many unknown keys for this one to be looked up now. */
  | { readonly kind: "too_many_unknown" }
  /** A store or LiteLLM failed, so the owner is unknown. */
  | { readonly kind: "unreachable" }
  /** The deadline has passed. */
  | { readonly kind: "slow" };

interface Search {
  readonly now: Instant;
  readonly deadline: Deadline;
  /** Called, behind the answer, with what is found after the deadline. */
  readonly onLate: (found: FoundTenant) => Promise<void>;
  /** Skips KV, whose entry led to a tenant that the caller does not belong to any more. */
  readonly isAnew?: boolean;
}

export interface KeySearch extends Search {
  readonly keyHash: KeyHash;
  /** Null when LiteLLM asks: it has verified the key, so there is no ceiling. */
  readonly network: string | null;
  /** True when LiteLLM has sent the key's team, so that the team is looked up by itself. */
  readonly isTeamKnown: boolean;
}

const UNKNOWN = { kind: "unknown" } as const;
const UNREACHABLE = { kind: "unreachable" } as const;
const SLOW = { kind: "slow" } as const;

/** The tenant that the key is registered for, or else the tenant of the key's team. */
export function findByKey(search: KeySearch, deps: FindDeps): Promise<FoundTenant> {
  return find(search.keyHash, search, () => searchKey(search, deps), deps);
}

export function findByTeam(search: Search & { readonly teamId: string }, deps: FindDeps): Promise<FoundTenant> {
  const { teamId, now } = search;
  const caller = `team:${teamId}` as const;
  const inStores = async () => {
    const tenant = await deps.tenants.findBySubject({ kind: "team", id: teamId });
    return tenant === null ? unmanaged(caller, now, deps) : learn(caller, tenant, { now, expires: false }, deps);
  };
  return find(caller, search, () => searchKvThenStores(caller, search, inStores, deps), deps);
}

/** One search per caller and isolate at a time; other checks wait for what it leaves in the memory. */
async function find(
  caller: CallerName,
  { now, deadline, isAnew, onLate }: Search,
  search: () => Promise<FoundTenant>,
  deps: FindDeps,
): Promise<FoundTenant> {
  const { memory } = deps;
  if (isAnew === true) memory.forgetTenantOf(caller);
  for (;;) {
    const remembered = memory.tenantOf(caller, now);
    if (remembered === null) return UNKNOWN;
    if (remembered !== undefined) return { kind: "tenant", tenantId: remembered };
    if (memory.beginLookUp(caller, now)) {
      const found = search().finally(() => memory.endLookUp(caller));
      const inTime = await Promise.race([found, deadline.then(() => SLOW)]);
      if (inTime === SLOW) deps.background("late look-up", found.then(onLate));
      return inTime;
    }
    if (!(await pollMemory(() => !memory.isLookedUp(caller, now), deadline, deps))) return SLOW;
  }
}

/** Looks a key that was found through its team up again, behind the answer, once in five minutes. */
export function confirmOwner(tenantId: TenantId, search: KeySearch, deps: FindDeps): void {
  const subject = deps.memory.tenant(tenantId)?.config?.subject;
  if (subject?.kind !== "team" || search.isTeamKnown || !takeConfirmation(search, deps)) return;
  deps.background("team confirmation", searchKey({ ...search, isAnew: true }, deps));
}

/** A key is taken for its team's this long before LiteLLM is asked again: it may have moved to another team. */
const CONFIRM_SECONDS = 300;

function takeConfirmation({ keyHash, now }: KeySearch, { memory }: FindDeps): boolean {
  return memory.throttle(`team of key:${keyHash}`, CONFIRM_SECONDS, now);
}

function searchKey(search: KeySearch, deps: FindDeps): Promise<FoundTenant> {
  const { keyHash, network, now } = search;
  return searchKvThenStores(
    keyHash,
    search,
    async () => {
      if (network !== null && !mayLookUp({ caller: keyHash, network, now }, deps)) return { kind: "too_many_unknown" };
      let isGuess = false;
      try {
        const tenant = await deps.tenants.findByKey(keyHash);
        if (tenant !== null) return learn(keyHash, tenant, { now, expires: false }, deps);
        const found = await searchLiteLlm(search, deps);
        isGuess = found === "guess";
        return found === "guess" ? UNKNOWN : found;
      } finally {
        if (network !== null && !isGuess) giveBackLookUp(network, deps);
      }
    },
    deps,
  );
}

/** KV, then `inStores`; both at once while KV is slow. Never rejects. */
async function searchKvThenStores(
  caller: CallerName,
  { now, isAnew }: Search,
  inStores: () => Promise<FoundTenant>,
  deps: FindDeps,
): Promise<FoundTenant> {
  const fromKv = isAnew === true ? Promise.resolve(null) : findInKv(caller, now, deps);
  const cached = await withTimeout(fromKv, storeTimeoutMs(deps), deps);
  if (cached.kind === "done" && cached.value !== null) return cached.value;
  const stored = inStores().catch((error: unknown) => {
    deps.log.error("postgres look-up failed", error);
    deps.memory.rememberStoreFailure(deps.clock());
    return UNREACHABLE;
  });
  deps.background("look-up", stored);
  const late = fromKv.then((found) => found ?? stored);
  return Promise.race([late, stored.then((found) => (found.kind === "unreachable" ? late : found))]);
}

/** Null when KV does not know the caller, or fails. Never rejects. */
async function findInKv(caller: CallerName, now: Instant, deps: FindDeps): Promise<FoundTenant | null> {
  const { memory, snapshots, log } = deps;
  try {
    const owner = await snapshots.ownerOf(caller);
    if (owner === null) return null;
    const tenantId = owner === UNMANAGED ? null : owner;
    // Postgres has answered first, and knows better.
    if (memory.tenantOf(caller, now) === undefined) memory.rememberTenantOf(caller, tenantId, now);
    return tenantId === null ? UNKNOWN : { kind: "tenant", tenantId };
  } catch (error) {
    log.error("kv key read failed", error);
    return null;
  }
}

/**
 * What LiteLLM says of a key that no tenant has registered: a tenant's key that was regenerated has its mark, and the
 * keys of a team tenant need not be registered. A caller whose team is known need not wait for it.
 */
async function searchLiteLlm(search: KeySearch, deps: FindDeps): Promise<FoundTenant | "guess"> {
  const { keyHash, isTeamKnown, now } = search;
  if (!isTeamKnown) return askLiteLlm(search, deps);
  deps.memory.rememberTenantOf(keyHash, null, now);
  deps.background("key look-up in litellm", askLiteLlm(search, deps));
  return UNKNOWN;
}

/** `guess`: LiteLLM does not have the key. */
async function askLiteLlm(search: KeySearch, deps: FindDeps): Promise<FoundTenant | "guess"> {
  const { keyHash, now } = search;
  const read = await deps.litellm.readSubject({ kind: "key", id: keyHash }, { tries: 1 });
  if (!read.ok && read.failure.kind !== "not_found") return UNREACHABLE;
  if (!read.ok) {
    deps.memory.rememberTenantOf(keyHash, null, now);
    return "guess";
  }
  const marked = await resolveByMark({ keyHash, litellmRow: read.value, now }, deps);
  if (!marked.ok) return UNREACHABLE;
  if (marked.value !== null) return learn(keyHash, marked.value, { now, expires: false }, deps);
  const { teamId } = read.value;
  const team = teamId === null ? null : await deps.tenants.findBySubject({ kind: "team", id: teamId });
  // LiteLLM has just said the team.
  takeConfirmation(search, deps);
  return team === null ? unmanaged(keyHash, now, deps) : learn(keyHash, team, { now, expires: true }, deps);
}

function learn(
  caller: CallerName,
  { config, spend }: TenantRecord,
  { now, expires }: { now: Instant; expires: boolean },
  deps: FindDeps,
): FoundTenant {
  const { tenantId } = config;
  rememberTenant({ config, spend }, now, deps);
  deps.background("kv key write", publishOwner({ caller, owner: tenantId, expires, now }, deps));
  deps.background("kv config write", writeConfig(config, now, deps));
  return { kind: "tenant", tenantId };
}

/** A key or team that LiteLLM has and no tenant: remembered everywhere, because its calls go on. */
function unmanaged(caller: CallerName, now: Instant, deps: FindDeps): FoundTenant {
  deps.background("kv key write", publishOwner({ caller, owner: UNMANAGED, now }, deps));
  return UNKNOWN;
}
