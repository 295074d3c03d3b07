// Refreshes a tenant: reads its config from Postgres and its spend from LiteLLM at the same time, usually one refresh
// per tenant and colo. Answers the waiting check after the first try; retries and writes continue in the background.

import { isServable } from "../../budget/freshness.ts";
import type { Instant } from "../../budget/instant.ts";
import { limitAt } from "../../budget/limit.ts";
import { periodOf } from "../../budget/period.ts";
import { joinRecords, mergeRead, type SpendRead, type SpendRecord } from "../../budget/spend.ts";
import type { Subject, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { readMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports, SharedRead } from "../../ports/ports.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { whyFailed } from "../counting/observe.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { publishGone, publishRead, writeConfig } from "../edge/publish.ts";
import { OWNERSHIP_MARKER } from "../litellm/desired-state.ts";
import { claimDriftSync } from "../litellm/drift.ts";
import { noteSubject } from "../litellm/note-subject.ts";
import { readSpendOf } from "../litellm/read-spend.ts";
import { claimTimeoutMs, storeTimeoutMs, valueOrNull, withTimeout } from "../waiting.ts";

type Deps = Pick<
  Ports,
  | "memory"
  | "snapshots"
  | "tenants"
  | "tenantKeys"
  | "litellm"
  | "claims"
  | "spendQueue"
  | "timers"
  | "clock"
  | "background"
  | "log"
  | "policy"
>;

export interface RefreshInput {
  readonly config: TenantConfig;
  readonly spend: SpendRecord | null;
  readonly exclusiveSeconds: number;
  /** True when nothing servable is known: the check then reads by itself rather than wait for another isolate. */
  readonly isNeeded: boolean;
  readonly colo: string;
  readonly now: Instant;
}

export type RefreshOutcome =
  | { readonly kind: "read"; readonly config: TenantConfig; readonly spend: SpendRecord }
  /** Another isolate of this colo has just read. */
  | { readonly kind: "shared"; readonly config: TenantConfig; readonly spend: SpendRecord }
  /** Another check reads, or a read failed in the last five seconds. */
  | { readonly kind: "held" }
  /** LiteLLM did not answer. `known` includes what Postgres returned. */
  | { readonly kind: "failed"; readonly known: ConfiguredTenant }
  | { readonly kind: "gone" };

/** One try while the check waits, two more in the background. */
const TRIES = 3;

/** Checks of one isolate ask Redis for a tenant at most this often. */
const CLAIM_SECONDS = 1;

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
  const claim = await claimRead(input, deps);
  if (claim === "held") return decide({ kind: "held" });
  const shared = claim === "claimed" ? null : joinShared(input, claim, deps);
  const serves = shared !== null && (!input.isNeeded || isServable(shared.config, shared.spend, now));
  if (serves) return decide({ kind: "shared", ...shared });

  const load = loadFromPostgres(tenantId, deps);
  const soon = withTimeout(load, storeTimeoutMs(deps), deps);
  const { firstTry, whole } = readSubject(input, deps);
  const answer = await firstTry;
  const litellmRow = answer === "missing" ? null : answer;
  const loaded = await soon;
  const early = loaded.kind === "done" ? loaded.value : "unknown";
  if (early === "gone") return decideGone(input, deps, decide);
  const stored = early === "unknown" ? null : early;
  const joined = stored === null ? input : joinCached(input, stored);
  const known = answer === "missing" ? withoutSubject(joined, config.subject, now, deps) : joined;
  if (answer === null) deps.memory.rememberFailedRead(tenantId, now);
  const refreshed = litellmRow === null ? null : mergedInto(known, litellmRow, now, deps);
  decide(refreshed === null ? { kind: "failed", known } : { kind: "read", ...refreshed });

  // The check has its answer. Later tries of LiteLLM and a slow Postgres continue in the background.
  const last = answer ?? (await whole);
  const final = last === "missing" ? null : last;
  const observation = litellmRow === null && final !== null ? mergedInto(known, final, now, deps) : refreshed;
  if (final !== null && observation !== null) {
    share(input, observation, deps);
    publishObservation(input, stored, final, observation, deps);
  }
  const record = await load;
  if (record === "gone") return decideGone(input, deps, decide);
  if (record === "unknown") return;
  const isOfRead = last !== null && record.config.subject.id === config.subject.id;
  const noted = isOfRead ? await noteSubject({ tenant: record, litellmRow: final, now }, deps) : record;
  const newer = publishNewer(input, noted, final, deps);
  if (final !== null && stored === null && newer !== null) share(input, newer, deps);
}

/** LiteLLM has said that it has no such subject. Remembered at once: Postgres may note it later, or be away. */
function withoutSubject(known: ConfiguredTenant, read: Subject, now: Instant, deps: Deps): ConfiguredTenant {
  const { config, spend } = known;
  if (config.subject.id !== read.id) return known;
  const missing = { config: { ...config, subjectMissingAt: config.subjectMissingAt ?? now }, spend };
  deps.memory.rememberTenant(config.tenantId, missing, now);
  return missing;
}

/** The tenant in Postgres; the adapter limits how long that takes. Never rejects. */
async function loadFromPostgres(tenantId: TenantId, deps: Deps): Promise<TenantRecord | "gone" | "unknown"> {
  try {
    return (await deps.tenants.load(tenantId)) ?? "gone";
  } catch (error) {
    deps.log.error("postgres tenant read failed", error, { tenant_id: tenantId });
    return "unknown";
  }
}

/**
 * Whether this check reads. The claim saves reads and decides no verdict: a check that needs a read and finds one under
 * way in another isolate reads too.
 */
async function claimRead(
  { config, colo, exclusiveSeconds: seconds, isNeeded, now }: RefreshInput,
  deps: Deps,
): Promise<"claimed" | "held" | SharedRead> {
  const { tenantId } = config;
  if (deps.memory.failedRecently(tenantId, now)) return "held";
  const turn = isNeeded ? `needed claim:${tenantId}` : `claim:${tenantId}`;
  if (!deps.memory.throttle(turn, Math.min(CLAIM_SECONDS, seconds), now)) return "held";
  const asked = deps.claims.claimRead({ tenantId, colo, seconds });
  const claim = await valueOrNull("read claim", asked, claimTimeoutMs(deps), deps);
  if (claim === "pending") return isNeeded ? "claimed" : "held";
  // A read of another isolate may be too old in a moment: the turn is only for a read of this one.
  if (claim !== null && claim !== "claimed") deps.memory.endTurn(turn);
  if (claim !== null) return claim;
  // Without Redis only this isolate limits its reads.
  return deps.memory.throttle(`read:${tenantId}`, seconds, now) ? "claimed" : "held";
}

/** Leaves what is known for the other isolates of the colo, while the claim lasts. */
function share(input: RefreshInput, { config, spend }: Refreshed, deps: Deps): void {
  const { colo, exclusiveSeconds: seconds, now } = input;
  const leftMs = now + seconds * 1_000 - deps.clock();
  if (leftMs <= 0) return;
  const read = { subjectId: config.subject.id, spend };
  deps.background("read share", deps.claims.shareRead({ tenantId: config.tenantId, colo, seconds }, read, leftMs));
}

/** What another isolate has read, joined with what this one knows. Null when the tenant has another subject by now. */
function joinShared(input: RefreshInput, read: SharedRead, { memory }: Deps): Refreshed | null {
  const { tenantId } = input.config;
  const { config, spend: known } = joinCached(memory.tenant(tenantId), input);
  if (config.subject.id !== read.subjectId) return null;
  const spend = known === null ? read.spend : joinRecords(known, read.spend);
  memory.rememberTenant(tenantId, { config, spend }, input.now);
  return { config, spend };
}

/** Null when LiteLLM gave no answer: of `firstTry` as soon as one try fails, of `whole` when all tries have failed. */
function readSubject(known: ConfiguredTenant, deps: Deps) {
  const failed = Promise.withResolvers<"missing" | null>();
  const answerOf = ({ kind }: LiteLlmFailure) => (kind === "not_found" ? "missing" : null);
  const onFailedTry = (failure: LiteLlmFailure) => failed.resolve(answerOf(failure));
  const whole = readSpendOf(known, { tries: TRIES, onFailedTry }, deps).then((result) => {
    if (result.ok) return result.value;
    deps.log.warn("litellm read failed", { tenant_id: known.config.tenantId, why: whyFailed(result.failure) });
    return answerOf(result.failure);
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
  await publishGone(config, now, deps);
}

interface Refreshed {
  readonly config: TenantConfig;
  readonly spend: SpendRecord;
}

/**
 * Merges a read into the cached tenant and remembers it. Null when the tenant has another subject by now, which the
 * read does not concern.
 */
function mergedInto(known: ConfiguredTenant, read: LiteLlmRow, now: Instant, deps: Deps): Refreshed | null {
  const { tenantId } = known.config;
  const { subject, teamId } = read;
  if (subject.kind === "key") deps.memory.rememberTeamOf(subject.id, teamId);
  // A read may take seconds, and the isolate may have received a newer config or observation meanwhile.
  const { config, spend: knownSpend } = joinCached(deps.memory.tenant(tenantId), known);
  if (config.subject.id !== subject.id) {
    deps.memory.rememberTenant(tenantId, { config, spend: knownSpend }, now);
    return null;
  }
  const spend = mergeRead(knownSpend, read, periodOf(config), limitAt(config, now).blocksAtNanoUsd);
  const found = shownBy(config, read);
  deps.memory.forgetFailedRead(tenantId);
  deps.memory.rememberTenant(tenantId, { config: found, spend }, now);
  return { config: found, spend };
}

/**
 * The config with what the read shows: LiteLLM has the subject, and another than Bursar blocks it or does not. Postgres
 * notes it behind the answer.
 */
function shownBy(config: TenantConfig, { blocked, metadata, begunAt }: LiteLlmRow): TenantConfig {
  const isOthers = blocked && config.suspendedAt === null && metadata[OWNERSHIP_MARKER] !== config.tenantId;
  const litellmBlockedAt = isOthers ? (config.litellmBlockedAt ?? begunAt) : null;
  const isSame = config.subjectMissingAt === null && config.litellmBlockedAt === litellmBlockedAt;
  return isSame ? config : { ...config, subjectMissingAt: null, litellmBlockedAt };
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
  deps.background("kv spend write", publishRead({ config, before: input.spend, spend, now: input.now }, deps));
  if (isNewsForPostgres(record === null ? input.spend : record.spend, litellmRow)) {
    deps.background("read enqueue", deps.spendQueue.send(readMessage(config, litellmRow)));
  }
}

/** Publishes a newer config to KV, and queues a sync when LiteLLM has drifted. Null when no spend is known. */
function publishNewer(
  input: RefreshInput,
  record: TenantRecord,
  litellmRow: LiteLlmRow | null,
  deps: Deps,
): Refreshed | null {
  const { tenantId } = input.config;
  const joined = joinCached(deps.memory.tenant(tenantId), joinCached(input, record));
  const { config } = joined;
  // Postgres does not have the read yet, and its record may replace the one that the read was merged into.
  const isOfSubject = litellmRow !== null && litellmRow.subject.id === config.subject.id;
  const { blocksAtNanoUsd } = limitAt(config, input.now);
  const spend = isOfSubject ? mergeRead(joined.spend, litellmRow, periodOf(config), blocksAtNanoUsd) : joined.spend;
  deps.memory.rememberTenant(tenantId, { config, spend }, input.now);
  if (config.revision > input.config.revision) {
    deps.background("kv config write", writeConfig(config, input.now, deps));
  }
  if (litellmRow !== null && claimDriftSync(record, litellmRow, input.now, deps)) {
    deps.log.warn("litellm drifted", { tenant_id: tenantId });
    deps.background("sync enqueue", deps.spendQueue.send(syncMessage(tenantId)));
  }
  return spend === null ? null : { config, spend };
}

/** `stored` is the spend in Postgres, or the edge's earlier spend when Postgres has not answered. */
function isNewsForPostgres(stored: SpendRecord | null, read: SpendRead): boolean {
  if (stored === null) return true;
  if (stored.spendNanoUsd !== read.spendNanoUsd || stored.resetsAt !== read.resetsAt) return true;
  return read.begunAt - (stored.readAt ?? 0) >= CONFIRM_MS;
}
