// Brings LiteLLM to the wish that Postgres holds, or undoes it for a deleted tenant, and writes down how that went.
// Idempotent and safe to overlap: it reads first, sends only what differs, and starts again when the wish has changed.

import type { Instant, TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";
import type { SyncOutcome, TenantRecord } from "../../records/tenant-record.ts";
import { blocksForBursar, fieldsOfNewKey, inSteps, missingIn, priorValuesOf, toRestore } from "./desired-state.ts";

export type SyncDeps = Pick<Ports, "tenants" | "litellm" | "cipher" | "log">;

/** `broken`: Bursar itself could not go on. `why` holds no secret. */
type SyncFailure = LiteLlmFailure | { readonly kind: "broken"; readonly why: string };

export type SyncResult =
  /** LiteLLM has the wish. `reading` is what it said, from before the last update unless that moved its reset. */
  | { readonly kind: "synced"; readonly tenant: TenantRecord; readonly litellmRow: LiteLlmRow }
  /** The sweep goes on; `failure` is why. */
  | { readonly kind: "pending"; readonly tenant: TenantRecord; readonly failure: SyncFailure }
  /** The tenant is gone, in LiteLLM too. */
  | { readonly kind: "removed" };

/** The subject as it stands after a sync. */
interface Fulfilled {
  readonly litellmRow: LiteLlmRow;
  readonly budgetId: string | null;
  readonly hasMovedReset: boolean;
}

/** The wish changes while it is sent only when two administrators meet; after three rounds the sweep goes on. */
const ROUNDS = 3;

/** An administrator waits for the answer, so not as often as behind a check. */
const TRIES = 2;

const BROKE_OFF: SyncFailure = { kind: "broken", why: "Bursar's own log says why" };

const OVERTAKEN: SyncFailure = { kind: "broken", why: "the tenant changed meanwhile" };

/** Enough for LiteLLM's sentence, too little for a page of HTML. */
const MAX_WORDS = 300;

export async function syncLiteLlm(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: SyncDeps,
): Promise<SyncResult> {
  let overtaken: SyncResult = { kind: "removed" };
  let before: TenantRecord | null = null;
  for (let round = 0; round < ROUNDS; round++) {
    const loaded = await deps.tenants.loadEvenDeleted(tenantId);
    if (loaded === null) return { kind: "removed" };
    const tenant: TenantRecord = before === null ? loaded : afterOvertaken(before, loaded);
    // What has begun or ended since then is part of the wish, however late this comes or whatever the clocks say.
    const done = await attempt(tenant, Math.max(now, tenant.updatedAt), deps);
    if (done === "released") {
      await deps.tenants.remove(tenantId);
      return { kind: "removed" };
    }
    // Overtaken before anything was sent: LiteLLM has none of it.
    if (done.ok || done.failure !== OVERTAKEN) before = tenant;
    const outcome = outcomeOf(tenant, done, now);
    if (outcome.status === "pending")
      deps.log.warn("litellm sync pending", { tenant_id: tenantId, why: outcome.error });
    const recorded = await deps.tenants.recordSync(tenantId, tenant.config.revision, outcome);
    if (recorded !== null) return resultOf(recorded, done);
    overtaken = { kind: "pending", tenant, failure: OVERTAKEN };
  }
  return overtaken;
}

/** What the round before has sent may have come after another sync had lifted the limits, and said so in Postgres. */
function afterOvertaken({ config }: TenantRecord, tenant: TenantRecord): TenantRecord {
  const { sync } = tenant;
  return { ...tenant, sync: { ...sync, hasSetLimits: sync.hasSetLimits || config.enforcement === "enforce" } };
}

/** The same, where Postgres has the wish already: whatever breaks now is logged, and the sweep goes on. */
export async function trySyncLiteLlm(tenant: TenantRecord, now: Instant, deps: SyncDeps): Promise<SyncResult> {
  const { tenantId } = tenant.config;
  try {
    return await syncLiteLlm({ tenantId, now }, deps);
  } catch (error) {
    deps.log.error("litellm sync broke off", error, { tenant_id: tenantId });
    return { kind: "pending", tenant, failure: BROKE_OFF };
  }
}

/** What breaks is written down like a refusal: a tenant that always breaks must not be the first in every sweep. */
async function attempt(
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<"released" | Result<Fulfilled, SyncFailure>> {
  try {
    return tenant.deletedAt === null ? await fulfil(tenant, now, deps) : await release(tenant, deps);
  } catch (error) {
    deps.log.error("litellm sync broke off", error, { tenant_id: tenant.config.tenantId });
    return failure(BROKE_OFF);
  }
}

async function fulfil(tenant: TenantRecord, now: Instant, deps: SyncDeps): Promise<Result<Fulfilled, SyncFailure>> {
  const read = await readOrCreate(tenant, now, deps);
  if (!read.ok) return read;
  const litellmRow = read.value;
  const isFirstTime = tenant.adopted && tenant.config.enforcement === "enforce" && !tenant.sync.hasSetLimits;
  if (isFirstTime && !(await keepPriorValues(tenant, litellmRow, deps))) return failure(OVERTAKEN);
  const budgetId = tenant.sync.budgetId ?? objectMadeFor(tenant, litellmRow);
  const { fields, softBudget } = missingIn({ ...tenant, sync: { ...tenant.sync, budgetId } }, litellmRow, now);
  if (blocksForBursar(tenant, litellmRow) && !(await noteBlock(tenant, deps))) return failure(OVERTAKEN);
  const sent = await send(tenant, fields, deps);
  if (!sent.ok) return sent;
  if (softBudget !== null) {
    const toldSoft = await deps.litellm.updateSoftBudget(softBudget.budgetId, softBudget.nanoUsd);
    if (!toldSoft.ok) return toldSoft;
  }
  if (fields.budgetDuration === undefined) return success({ litellmRow, budgetId, hasMovedReset: false });
  const after = await readDuration(tenant, fields.budgetDuration, deps);
  if (!after.ok) return after;
  // When LiteLLM's end was a later one than ours before, it may have reset: then ours has to pass first.
  const { budgetResetAt } = tenant.config;
  const hadOurEnd = budgetResetAt === null || litellmRow.resetsAt === null || litellmRow.resetsAt <= budgetResetAt;
  return success({ litellmRow: after.value, budgetId, hasMovedReset: hadOurEnd });
}

/** Before anything is sent: what LiteLLM has by then is to be given back, and not what it had at adoption. */
async function keepPriorValues({ config }: TenantRecord, litellmRow: LiteLlmRow, { tenants }: SyncDeps) {
  return (await tenants.recordPriorValues(config.tenantId, config.revision, priorValuesOf(litellmRow))) !== null;
}

/** Before it is sent: LiteLLM's own mark of it may be lost to whoever replaces the metadata. */
async function noteBlock({ config, sync }: TenantRecord, { tenants }: SyncDeps): Promise<boolean> {
  return sync.hasBlocked || (await tenants.noteBlock(config.tenantId, config.revision));
}

/**
 * While the sealed key is kept nobody but Bursar has worked with the key, so the budget object that it is linked to was
 * made with it, for the soft budget. Without one it may be an object that LiteLLM links every new key to.
 */
function objectMadeFor({ encryptedKey, config }: TenantRecord, litellmRow: LiteLlmRow): string | null {
  const isNew = encryptedKey !== null && config.enforcement === "enforce" && litellmRow.softBudgetNanoUsd !== null;
  return isNew ? litellmRow.budgetId : null;
}

/** A key whose creation was cut off may exist already, so it is looked for before it is made. */
async function readOrCreate(
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<Result<LiteLlmRow, SyncFailure>> {
  const { config, encryptedKey } = tenant;
  const litellmRow = await deps.litellm.readSubject(config.subject, { tries: TRIES });
  if (litellmRow.ok || litellmRow.failure.kind !== "not_found" || encryptedKey === null) return litellmRow;
  const key = await openKey(tenant, encryptedKey, deps);
  if (key === null) return failure({ kind: "broken", why: "the sealed virtual key cannot be opened" });
  const fields = fieldsOfNewKey(config, now);
  const created = await deps.litellm.createKey(key, { ...fields, keyAlias: config.tenantId });
  if (created.ok || !isAliasTaken(created.failure)) return created;
  return deps.litellm.createKey(key, { ...fields, keyAlias: `${config.tenantId}-${config.subject.id.slice(0, 8)}` });
}

async function openKey(
  { config }: TenantRecord,
  encryptedKey: string,
  { cipher, log }: SyncDeps,
): Promise<string | null> {
  try {
    return await cipher.open(encryptedKey);
  } catch (error) {
    log.error("sealed key not opened", error, { tenant_id: config.tenantId });
    return null;
  }
}

/** Our key is deleted, an adopted subject gets back what it had. What LiteLLM no longer knows needs neither. */
async function release(tenant: TenantRecord, deps: SyncDeps): Promise<"released" | Result<never, SyncFailure>> {
  const { subject } = tenant.config;
  const isOwnKey = !tenant.adopted && subject.kind === "key";
  const undone = isOwnKey ? await deps.litellm.deleteKey(subject.id) : await restore(tenant, deps);
  return undone.ok || undone.failure.kind === "not_found" ? "released" : failure(undone.failure);
}

async function restore(tenant: TenantRecord, deps: SyncDeps): Promise<Result<void, LiteLlmFailure>> {
  const litellmRow = await deps.litellm.readSubject(tenant.config.subject, { tries: TRIES });
  if (!litellmRow.ok) return litellmRow;
  const fields = toRestore(tenant, litellmRow.value);
  const sent = await send(tenant, fields, deps);
  if (!sent.ok || fields.budgetDuration === undefined) return sent;
  const after = await deps.litellm.readSubject(tenant.config.subject, { tries: TRIES });
  if (after.ok) noteKeptDuration(tenant, after.value, deps);
  return success(undefined);
}

async function send(
  tenant: TenantRecord,
  fields: Partial<LiteLlmFields>,
  deps: SyncDeps,
): Promise<Result<void, LiteLlmFailure>> {
  for (const step of inSteps(fields)) {
    const sent = await deps.litellm.updateSubject(tenant.config.subject, step);
    if (!sent.ok) return sent;
  }
  return success(undefined);
}

/** LiteLLM answers 200 to a duration that it does not take, such as null: that is a refusal, and it must be seen. */
async function readDuration(
  tenant: TenantRecord,
  sent: string | null,
  deps: SyncDeps,
): Promise<Result<LiteLlmRow, LiteLlmFailure>> {
  const { config, adopted } = tenant;
  const litellmRow = await deps.litellm.readSubject(config.subject, { tries: TRIES });
  if (!litellmRow.ok || litellmRow.value.budgetDuration === sent) return litellmRow;
  if (adopted && config.enforcement === "observe") {
    noteKeptDuration(tenant, litellmRow.value, deps);
    return litellmRow;
  }
  const message = `it kept budget_duration ${litellmRow.value.budgetDuration}`;
  return failure({ kind: "refused", status: 200, param: "budget_duration", message });
}

/** Nothing more can be done for a subject that had no duration before: it blocks nobody, so it stays. */
function noteKeptDuration({ config, priorValues }: TenantRecord, { own }: LiteLlmRow, { log }: SyncDeps): void {
  if (own.budgetDuration === (priorValues?.budgetDuration ?? null)) return;
  log.warn("litellm keeps a budget_duration", { tenant_id: config.tenantId, budget_duration: own.budgetDuration });
}

function isAliasTaken(reason: LiteLlmFailure): boolean {
  return reason.kind === "refused" && reason.param === "key_alias";
}

function outcomeOf(tenant: TenantRecord, done: Result<Fulfilled, SyncFailure>, triedAt: Instant): SyncOutcome {
  if (!done.ok) {
    const error = wordsOf(tenant, done.failure).slice(0, MAX_WORDS);
    return { status: "pending", triedAt, error, isAway: done.failure.kind === "unreachable" };
  }
  const { litellmRow, budgetId, hasMovedReset } = done.value;
  const { begunAt, resetsAt, createdAt } = litellmRow;
  return { status: "synced", triedAt, readAt: begunAt, budgetId, resetsAt, hasMovedReset, subjectCreatedAt: createdAt };
}

function resultOf(tenant: TenantRecord, done: Result<Fulfilled, SyncFailure>): SyncResult {
  return done.ok
    ? { kind: "synced", tenant, litellmRow: done.value.litellmRow }
    : { kind: "pending", tenant, failure: done.failure };
}

function wordsOf(tenant: TenantRecord, reason: SyncFailure): string {
  switch (reason.kind) {
    case "unreachable":
      return `LiteLLM cannot be reached: ${reason.why}`;
    case "not_found":
      return `LiteLLM does not know this ${tenant.config.subject.kind}`;
    case "refused":
      return `LiteLLM refused: ${reason.message}`;
    case "broken":
      return `LiteLLM was not told: ${reason.why}`;
  }
}
