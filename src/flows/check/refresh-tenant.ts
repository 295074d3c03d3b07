// Reads a tenant anew: config from Postgres and spend from LiteLLM at the same time. One reader per tenant and colo.
// Tells the waiting answer as soon as the first try is decided; retries and writing go on behind it.

import { foldRead, type SpendRecord } from "../../budget/spend.ts";
import { type Instant, periodStartedAt, type TenantConfig, type TenantId } from "../../budget/tenant.ts";
import { observedMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type ConfiguredTenant, joinCached } from "../edge/cached-tenant.ts";
import { isWorthASnapshot } from "../edge/publish-cadence.ts";
import { writeConfig } from "../edge/publish-config.ts";
import { isWorthASync } from "../litellm/drift.ts";
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
  /** Somebody else in this colo is reading, or has just read. */
  | { readonly kind: "held" }
  /** LiteLLM did not answer; Postgres may have told something all the same. */
  | { readonly kind: "failed"; readonly known: ConfiguredTenant }
  | { readonly kind: "gone" };

/** One try in the path of an answer, two more behind it. */
const TRIES = 3;

/** Postgres hears of an unchanged figure this often, so that the sweep leaves busy tenants alone. */
const CONFIRM_MS = 300_000;

/** Starts a refresh that outlives the answer. The promise settles when the first try is decided; it never rejects. */
export function startRefresh(input: RefreshInput, deps: Deps): Promise<RefreshOutcome> {
  return new Promise((decide) => {
    const refresh = refreshTenant(input, deps, decide);
    deps.background(
      "refresh a tenant",
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
  const stored = await soon;
  const said = stored.kind === "came" ? stored.value : "unknown";
  if (said === "gone") return tellGone(input, deps, decide);
  const early = said === "unknown" ? null : said;
  const known = early === null ? input : joinCached(input, early);
  if (litellmRow === null) deps.memory.rememberFailedRead(tenantId, now);
  const refreshed = litellmRow === null ? null : refreshedFrom(known, litellmRow, now, deps);
  decide(refreshed === null ? { kind: "failed", known } : { kind: "read", ...refreshed });

  // Whoever waits has an answer. LiteLLM's later tries, and a Postgres that is far away, go on behind it.
  const final = litellmRow ?? (await whole);
  const observation = litellmRow === null && final !== null ? refreshedFrom(known, final, now, deps) : refreshed;
  if (observation !== null) publishObservation(input, early, observation, deps);
  const record = await load;
  if (record === "gone") return tellGone(input, deps, decide);
  if (record !== "unknown") spreadConfig(input, record, final, deps);
}

/** What Postgres says of the tenant; bounded by its adapter. Never rejects. */
async function loadTenant(tenantId: TenantId, deps: Deps): Promise<TenantRecord | "gone" | "unknown"> {
  try {
    return (await deps.tenants.load(tenantId)) ?? "gone";
  } catch (error) {
    deps.log.error("postgres read of a tenant failed", error, { tenant_id: tenantId });
    return "unknown";
  }
}

async function mayRead({ config, colo, exclusiveSeconds, now }: RefreshInput, deps: Deps): Promise<boolean> {
  if (!deps.memory.throttle(`refresh:${config.tenantId}`, exclusiveSeconds, now)) return false;
  const claim = deps.claims.claimRefresh(config.tenantId, colo, exclusiveSeconds);
  // Without Redis the turn just taken in this isolate is all the politeness there is.
  return (await valueOrNull("claim of a refresh", claim, claimTimeoutMs(deps), deps)) ?? true;
}

/** `firstTry` is null as soon as one try has failed, `whole` when all of them have. */
function readSubject({ subject, tenantId }: TenantConfig, deps: Deps) {
  const failed = Promise.withResolvers<null>();
  const whole = deps.litellm
    .readSubject(subject, { tries: TRIES, onFailedTry: () => failed.resolve(null) })
    .then((result) => {
      if (result.ok) return result.value;
      const why = result.failure.kind === "unreachable" ? result.failure.why : result.failure.kind;
      deps.log.warn("litellm read failed", { tenant_id: tenantId, why });
      return null;
    });
  return { whole, firstTry: Promise.race([whole, failed.promise]) };
}

/** Postgres no longer has the tenant although the edge does: its tombstone was lost, so leave it again. */
async function tellGone(
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
 * Folds a read into what is known, and remembers it. Null when the tenant has another subject by now: what was read
 * says nothing of it.
 */
function refreshedFrom(known: ConfiguredTenant, litellmRow: LiteLlmRow, now: Instant, deps: Deps): Refreshed | null {
  const { tenantId } = known.config;
  // A read takes seconds at worst, and meanwhile the isolate may have learned of a newer config or figure.
  const { config, spend: knownSpend } = joinCached(deps.memory.tenant(tenantId), known);
  if (config.subject.id !== litellmRow.subject.id) {
    deps.memory.rememberTenant(tenantId, { config, spend: knownSpend }, now);
    return null;
  }
  const period = { startedAt: periodStartedAt(config), resetsAt: config.budgetResetAt };
  const spend = foldRead(knownSpend, litellmRow, period);
  deps.memory.forgetFailedRead(tenantId);
  deps.memory.rememberTenant(tenantId, { config, spend }, now);
  return { config, spend };
}

/** Tells KV and Postgres of a figure, if they should hear of it. `record` is null while Postgres has not said. */
function publishObservation(
  input: RefreshInput,
  record: TenantRecord | null,
  { config, spend }: Refreshed,
  deps: Deps,
): void {
  if (isWorthASnapshot(config, input.spend, spend, input.now, deps)) {
    deps.background("write a spend snapshot", deps.snapshots.writeSpend(config, spend));
  }
  if (isNewsForPostgres(record === null ? input.spend : record.spend, spend)) {
    deps.background("send an observation", deps.spendQueue.send(observedMessage(config, spend)));
  }
}

/** Tells KV of a newer config, and LiteLLM of the wish if what was read is something else. */
function spreadConfig(input: RefreshInput, record: TenantRecord, litellmRow: LiteLlmRow | null, deps: Deps): void {
  const { tenantId } = input.config;
  const { config, spend } = joinCached(deps.memory.tenant(tenantId), joinCached(input, record));
  deps.memory.rememberTenant(tenantId, { config, spend }, input.now);
  if (config.revision > input.config.revision) {
    deps.background("write a config snapshot", writeConfig(config, deps));
  }
  if (litellmRow !== null && isWorthASync(record, litellmRow, input.now, deps)) {
    deps.log.warn("litellm differs from the wish", { tenant_id: tenantId });
    deps.background("send a sync", deps.spendQueue.send(syncMessage(tenantId)));
  }
}

/** `stored` is what Postgres says, or what the edge knew before while Postgres is too slow to say. */
function isNewsForPostgres(stored: SpendRecord | null, spend: SpendRecord): boolean {
  if (stored === null) return true;
  if (stored.spendNanoUsd !== spend.spendNanoUsd || stored.resetsAt !== spend.resetsAt) return true;
  return (spend.readAt ?? 0) - (stored.readAt ?? 0) >= CONFIRM_MS;
}
