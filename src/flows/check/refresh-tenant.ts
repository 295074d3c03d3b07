// Refreshes a tenant: reads its config from Postgres and its spend from LiteLLM at the same time, one refresh per
// tenant and colo. Answers the waiting check after the first try; retries and writes continue in the background.

import type { Instant } from "../../budget/instant.ts";
import { periodOf } from "../../budget/period.ts";
import { mergeRead, type SpendRead, type SpendRecord } from "../../budget/spend.ts";
import type { TenantConfig, TenantId } from "../../budget/tenant.ts";
import { readMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { whyFailed } from "../counting/observe.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { writeConfig } from "../edge/publish-config.ts";
import { isWorthASnapshot } from "../edge/spend-cadence.ts";
import { claimDriftSync } from "../litellm/drift.ts";
import { readSpendOf } from "../litellm/read-spend.ts";
import { claimTimeoutMs, storeTimeoutMs, valueOrNull, withTimeout } from "../waiting.ts";

type Deps = Pick<
  Ports,
  "memory" | "snapshots" | "tenants" | "litellm" | "claims" | "spendQueue" | "timers" | "background" | "log" | "policy"
>;

export interface RefreshInput {
  readonly config: TenantConfig;
  readonly spend: SpendRecord | null;
  readonly exclusiveSeconds: number;
  readonly colo: string;
  readonly now: Instant;
}

export type RefreshOutcome =
  | { readonly kind: "read"; readonly config: TenantConfig; readonly spend: SpendRecord }
  /** Another check in this colo is reading, or has just read. */
  | { readonly kind: "held" }
  /** LiteLLM did not answer. `known` includes what Postgres returned. */
  | { readonly kind: "failed"; readonly known: ConfiguredTenant }
  | { readonly kind: "gone" };

/** One try while the check waits, two more in the background. */
const TRIES = 3;

/** Unchanged spend is sent to Postgres this often, so that the sweep skips busy tenants. */
const CONFIRM_MS = 300_000;

/** Starts a refresh that outlives the answer. The promise settles after the first try and never rejects. */
export function startRefresh(input: RefreshInput, deps: Deps): Promise<RefreshOutcome> {
  return new Promise((decide) => {
    const refresh = refreshTenant(input, deps, decide);
    deps.background(
      "tenant refresh",
      refresh.finally(() => decide({ kind: "failed", known: input })),
    );
  });
}

async function refreshTenant(
  input: RefreshInput,
  deps: Deps,
  decide: (outcome: RefreshOutcome) => void,
): Promise<void> {
  const { config, now } = input;
  const { tenantId } = config;
  if (!(await mayRead(input, deps))) return decide({ kind: "held" });

  const load = loadTenant(tenantId, deps);
  const soon = withTimeout(load, storeTimeoutMs(deps), deps);
  const { firstTry, whole } = readSubject(config, deps);
  const litellmRow = await firstTry;
  const loaded = await soon;
  const early = loaded.kind === "done" ? loaded.value : "unknown";
  if (early === "gone") return decideGone(input, deps, decide);
  const stored = early === "unknown" ? null : early;
  const known = stored === null ? input : joinCached(input, stored);
  if (litellmRow === null) deps.memory.rememberFailedRead(tenantId, now);
  const refreshed = litellmRow === null ? null : refreshedFrom(known, litellmRow, now, deps);
  decide(refreshed === null ? { kind: "failed", known } : { kind: "read", ...refreshed });

  // The check has its answer. Later tries of LiteLLM and a slow Postgres continue in the background.
  const final = litellmRow ?? (await whole);
  const observation = litellmRow === null && final !== null ? refreshedFrom(known, final, now, deps) : refreshed;
  if (final !== null && observation !== null) publishObservation(input, stored, final, observation, deps);
  const record = await load;
  if (record === "gone") return decideGone(input, deps, decide);
  if (record !== "unknown") publishNewer(input, record, final, deps);
}

/** The tenant in Postgres; the adapter limits how long that takes. Never rejects. */
async function loadTenant(tenantId: TenantId, deps: Deps): Promise<TenantRecord | "gone" | "unknown"> {
  try {
    return (await deps.tenants.load(tenantId)) ?? "gone";
  } catch (error) {
    deps.log.error("postgres tenant read failed", error, { tenant_id: tenantId });
    return "unknown";
  }
}

async function mayRead({ config, colo, exclusiveSeconds, now }: RefreshInput, deps: Deps): Promise<boolean> {
  if (!deps.memory.throttle(`refresh:${config.tenantId}`, exclusiveSeconds, now)) return false;
  const claim = deps.claims.claimRefresh(config.tenantId, colo, exclusiveSeconds);
  // Without Redis only the throttle of this isolate limits the reads.
  return (await valueOrNull("refresh claim", claim, claimTimeoutMs(deps), deps)) ?? true;
}

/** `firstTry` settles with null as soon as one try fails; `whole` when all tries have failed. */
function readSubject(config: TenantConfig, deps: Deps) {
  const failed = Promise.withResolvers<null>();
  const options = { tries: TRIES, onFailedTry: () => failed.resolve(null) };
  const whole = readSpendOf(config, options, deps).then((result) => {
    if (result.ok) return result.value;
    deps.log.warn("litellm read failed", { tenant_id: config.tenantId, why: whyFailed(result.failure) });
    return null;
  });
  return { whole, firstTry: Promise.race([whole, failed.promise]) };
}

/** Postgres has deleted the tenant but the edge still has it: the tombstone was lost, so write it again. */
async function decideGone(
  { config, now }: RefreshInput,
  deps: Deps,
  decide: (outcome: RefreshOutcome) => void,
): Promise<void> {
  decide({ kind: "gone" });
  deps.memory.forgetTenant(config.tenantId);
  await deps.snapshots.writeDeleted(config.tenantId, config.revision, now);
}

interface Refreshed {
  readonly config: TenantConfig;
  readonly spend: SpendRecord;
}

/**
 * Merges a read into the cached tenant and remembers it. Null when the tenant has another subject by now, which the
 * read does not concern.
 */
function refreshedFrom(known: ConfiguredTenant, litellmRow: LiteLlmRow, now: Instant, deps: Deps): Refreshed | null {
  const { tenantId } = known.config;
  // A read may take seconds, and the isolate may have received a newer config or observation meanwhile.
  const { config, spend: knownSpend } = joinCached(deps.memory.tenant(tenantId), known);
  if (config.subject.id !== litellmRow.subject.id) {
    deps.memory.rememberTenant(tenantId, { config, spend: knownSpend }, now);
    return null;
  }
  const spend = mergeRead(knownSpend, litellmRow, periodOf(config));
  deps.memory.forgetFailedRead(tenantId);
  deps.memory.rememberTenant(tenantId, { config, spend }, now);
  return { config, spend };
}

/**
 * Publishes an observation to KV and to the spend queue where it is worth it. `record` is null until Postgres has
 * answered.
 */
function publishObservation(
  input: RefreshInput,
  record: TenantRecord | null,
  litellmRow: LiteLlmRow,
  { config, spend }: Refreshed,
  deps: Deps,
): void {
  // What Gate has added is this isolate's own: the others learn of the call by its event, or by a read.
  if (spend.source !== "gate" && isWorthASnapshot(config, input.spend, spend, input.now, deps)) {
    deps.background("kv spend write", deps.snapshots.writeSpend(config, spend));
  }
  if (isNewsForPostgres(record === null ? input.spend : record.spend, litellmRow)) {
    deps.background("read enqueue", deps.spendQueue.send(readMessage(config, litellmRow)));
  }
}

/** Publishes a newer config to KV, and queues a sync when LiteLLM has drifted. */
function publishNewer(input: RefreshInput, record: TenantRecord, litellmRow: LiteLlmRow | null, deps: Deps): void {
  const { tenantId } = input.config;
  const joined = joinCached(deps.memory.tenant(tenantId), joinCached(input, record));
  const { config } = joined;
  // Postgres does not have the read yet, and its record may replace the one that the read was merged into.
  const isOfSubject = litellmRow !== null && litellmRow.subject.id === config.subject.id;
  const spend = isOfSubject ? mergeRead(joined.spend, litellmRow, periodOf(config)) : joined.spend;
  deps.memory.rememberTenant(tenantId, { config, spend }, input.now);
  if (config.revision > input.config.revision) {
    deps.background("kv config write", writeConfig(config, deps));
  }
  if (litellmRow !== null && claimDriftSync(record, litellmRow, input.now, deps)) {
    deps.log.warn("litellm drifted", { tenant_id: tenantId });
    deps.background("sync enqueue", deps.spendQueue.send(syncMessage(tenantId)));
  }
}

/** `stored` is the spend in Postgres, or the edge's earlier spend when Postgres has not answered. */
function isNewsForPostgres(stored: SpendRecord | null, read: SpendRead): boolean {
  if (stored === null) return true;
  if (stored.spendNanoUsd !== read.spendNanoUsd || stored.resetsAt !== read.resetsAt) return true;
  return read.begunAt - (stored.readAt ?? 0) >= CONFIRM_MS;
}
