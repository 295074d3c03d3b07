// Brings LiteLLM to the desired state in Postgres, or undoes it for a deleted tenant, and records the outcome.
// Idempotent and safe to overlap: reads first, sends only fields that differ, restarts when the desired state has
// changed.

import type { Instant } from "../../budget/instant.ts";
import type { NanoUsd } from "../../budget/money.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { SyncOutcome, TenantRecord } from "../../records/tenant.ts";
import { observeRead } from "../counting/observe.ts";
import { asOlderKey, blocksForBursar, fieldsOfNewKey, fieldsToSend, priorValuesOf } from "./desired-state.ts";
import { MARK, markFor } from "./mark.ts";
import { readOlderKeys, spentBeside, withOlderKeys } from "./read-spend.ts";
import { noteKeptDuration, release, sendFields } from "./release.ts";

export type SyncDeps = Pick<Ports, "tenants" | "ledgers" | "litellm" | "cipher" | "log">;

/** `broken`: Bursar itself failed. `why` holds no secret. */
type SyncFailure = LiteLlmFailure | { readonly kind: "broken"; readonly why: string };

export type SyncResult =
  /**
   * LiteLLM has the desired state. `litellmRow` is from before the last update, unless that update moved LiteLLM's
   * reset.
   */
  | { readonly kind: "synced"; readonly tenant: TenantRecord; readonly litellmRow: LiteLlmRow }
  /** The sweep retries; `failure` is why. */
  | { readonly kind: "pending"; readonly tenant: TenantRecord; readonly failure: SyncFailure }
  /** The tenant was deleted and is released in LiteLLM too. */
  | { readonly kind: "removed" };

/** The subject after a sync. */
interface Fulfilled {
  readonly litellmRow: LiteLlmRow;
  readonly budgetId: string | null;
  readonly hasMovedReset: boolean;
}

/**
 * The desired state changes during a sync only when two administrators act at once. After three rounds the sweep
 * retries.
 */
const ROUNDS = 3;

/** An administrator waits for the answer, so fewer tries than in the background of a check. */
const TRIES = 2;

const BROKE_OFF: SyncFailure = { kind: "broken", why: "see Bursar's log" };

const OVERTAKEN: SyncFailure = { kind: "broken", why: "the tenant changed meanwhile" };

/** Room for LiteLLM's message, but not for a page of HTML. */
const MAX_ERROR_CHARS = 300;

export async function syncLiteLlm(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: SyncDeps,
): Promise<SyncResult> {
  let overtaken: SyncResult = { kind: "removed" };
  let before: TenantRecord | null = null;
  for (let round = 0; round < ROUNDS; round++) {
    const loaded = await deps.tenants.loadEvenDeleted(tenantId);
    if (loaded === null || isReleased(loaded)) return { kind: "removed" };
    const tenant: TenantRecord = before === null ? loaded : afterOvertaken(before, loaded);
    // Overrides that began or ended since `now` belong to the desired state, even when this isolate's clock lags.
    const done = await attempt(tenant, Math.max(now, tenant.updatedAt), deps);
    if (done === "released") {
      if (await deps.tenants.recordRelease(tenantId, tenant.config.revision, now)) return { kind: "removed" };
      // The tenant was restored meanwhile, or another sync has removed it.
      before = tenant;
      continue;
    }
    // A sync overtaken before it sent anything has changed nothing in LiteLLM.
    if (done.ok || done.failure !== OVERTAKEN) before = tenant;
    const outcome = outcomeOf(tenant, done, now);
    if (outcome.status === "pending")
      deps.log.warn("litellm sync pending", { tenant_id: tenantId, why: outcome.error });
    const recorded = await deps.tenants.recordSync(tenantId, tenant.config.revision, outcome);
    if (recorded !== null) return resultOf(await recordMovedEnd(recorded, done, now, deps), done);
    overtaken = { kind: "pending", tenant, failure: OVERTAKEN };
  }
  return overtaken;
}

/** Its key or team may be another tenant's by now. */
function isReleased({ deletedAt, sync }: TenantRecord): boolean {
  return deletedAt !== null && sync.status === "synced";
}

/** The spend record takes the end that the sync has moved, so that checks and the API show one end. */
async function recordMovedEnd(
  tenant: TenantRecord,
  done: Result<Fulfilled, SyncFailure>,
  now: Instant,
  deps: SyncDeps,
): Promise<TenantRecord> {
  const { config, spend } = tenant;
  if (!done.ok || !done.value.hasMovedReset || spend === null || spend.resetsAt === config.budgetResetAt) return tenant;
  const observed = await observeRead({ tenantId: config.tenantId, ...done.value.litellmRow }, now, deps);
  return observed?.tenant ?? tenant;
}

/** The round before may have set limits after another sync had lifted them and recorded that in Postgres. */
function afterOvertaken({ config }: TenantRecord, tenant: TenantRecord): TenantRecord {
  const { sync } = tenant;
  return { ...tenant, sync: { ...sync, hasSetLimits: sync.hasSetLimits || config.enforcement === "enforce" } };
}

/** Like `syncLiteLlm`, but never throws: an error is logged and the tenant stays pending, so the sweep retries. */
export async function trySyncLiteLlm(tenant: TenantRecord, now: Instant, deps: SyncDeps): Promise<SyncResult> {
  const { tenantId } = tenant.config;
  try {
    return await syncLiteLlm({ tenantId, now }, deps);
  } catch (error) {
    deps.log.error("litellm sync failed", error, { tenant_id: tenantId });
    return { kind: "pending", tenant, failure: BROKE_OFF };
  }
}

/**
 * Turns a thrown error into a failure that is recorded like a refusal, so that the tenant does not come first in every
 * sweep.
 */
async function attempt(
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<"released" | Result<Fulfilled, SyncFailure>> {
  try {
    return tenant.deletedAt === null ? await fulfil(tenant, now, deps) : await release(tenant, deps);
  } catch (error) {
    deps.log.error("litellm sync failed", error, { tenant_id: tenant.config.tenantId });
    return failure(BROKE_OFF);
  }
}

async function fulfil(tenant: TenantRecord, now: Instant, deps: SyncDeps): Promise<Result<Fulfilled, SyncFailure>> {
  const markNonce = await noteMark(tenant, deps);
  if (markNonce === null) return failure(OVERTAKEN);
  const older = await readOlderKeys(tenant.config, { tries: TRIES }, deps);
  if (!older.ok) return older;
  const othersNanoUsd = spentBeside(tenant, older.value);
  const read = await readOrCreate({ ...tenant, markNonce, othersNanoUsd }, now, deps);
  if (!read.ok) return read;
  const litellmRow = withOlderKeys(tenant, read.value, older.value);
  const isFirstTime = tenant.adopted && tenant.config.enforcement === "enforce" && !tenant.sync.hasSetLimits;
  if (isFirstTime && !(await keepPriorValues(tenant, litellmRow, deps))) return failure(OVERTAKEN);
  const budgetId = tenant.sync.budgetId ?? ownBudgetObject(tenant, litellmRow);
  const isKey = tenant.config.subject.kind === "key";
  const mark = isKey ? await markFor({ ...tenant, markNonce }, litellmRow.metadata[MARK], deps) : null;
  const desired = { ...tenant, sync: { ...tenant.sync, budgetId } };
  const { fields, softBudget } = fieldsToSend(desired, litellmRow, mark, now);
  if (blocksForBursar(tenant, litellmRow) && !(await noteBlock(tenant, deps))) return failure(OVERTAKEN);
  const sent = await sendFields(tenant.config.subject, fields, deps);
  if (!sent.ok) return sent;
  if (softBudget !== null) {
    const updated = await deps.litellm.updateSoftBudget(softBudget.budgetId, softBudget.nanoUsd);
    if (!updated.ok) return updated;
  }
  const others = await sendToOlderKeys(desired, litellmRow, mark, now, deps);
  if (!others.ok) return others;
  if (fields.budgetDuration === undefined) return success({ litellmRow, budgetId, hasMovedReset: false });
  const after = await readDuration(tenant, fields.budgetDuration, deps);
  if (!after.ok) return after;
  // LiteLLM may have reset when its end was later than ours; then our own end has to pass first.
  const { budgetResetAt } = tenant.config;
  const hadOurEnd = budgetResetAt === null || litellmRow.resetsAt === null || litellmRow.resetsAt <= budgetResetAt;
  const moved = withOlderKeys(tenant, after.value, older.value);
  return success({ litellmRow: moved, budgetId, hasMovedReset: hadOurEnd });
}

/** The older live keys have the same desired state, with what the other keys leave of the limit. */
async function sendToOlderKeys(
  tenant: TenantRecord,
  { olderKeys = [] }: LiteLlmRow,
  mark: string | null,
  now: Instant,
  deps: SyncDeps,
): Promise<Result<void, LiteLlmFailure>> {
  for (const litellmRow of olderKeys) {
    const { fields } = fieldsToSend(asOlderKey(tenant, litellmRow), litellmRow, mark, now);
    const sent = await sendFields(litellmRow.subject, fields, deps);
    if (!sent.ok) return sent;
  }
  return success(undefined);
}

/**
 * Records the prior values before the first update, so that a release restores these and not the values at adoption.
 */
async function keepPriorValues({ config }: TenantRecord, litellmRow: LiteLlmRow, { tenants }: SyncDeps) {
  return (await tenants.recordPriorValues(config.tenantId, config.revision, priorValuesOf(litellmRow))) !== null;
}

/** Records the block before it is sent, because an update of the metadata by hand may drop the ownership marker. */
async function noteBlock({ config, sync }: TenantRecord, { tenants }: SyncDeps): Promise<boolean> {
  return sync.hasBlocked || (await tenants.noteBlock(config.tenantId, config.revision));
}

/** The nonce is noted before the mark is sent, so that a mark in LiteLLM is always one that Postgres can prove. */
async function noteMark({ config, markNonce }: TenantRecord, { tenants }: SyncDeps): Promise<string | null> {
  return markNonce ?? (await tenants.noteMark(config.tenantId, config.revision));
}

/**
 * The id of the budget object that LiteLLM created with the key. While Postgres holds the encrypted key, only Bursar
 * has changed the key, so an object with a soft budget is its own. An object without one may be shared by all new keys.
 */
function ownBudgetObject({ encryptedKey, config }: TenantRecord, litellmRow: LiteLlmRow): string | null {
  const isNew = encryptedKey !== null && config.enforcement === "enforce" && litellmRow.softBudgetNanoUsd !== null;
  return isNew ? litellmRow.budgetId : null;
}

/** Reads the subject and creates a missing key. Reads first, because an interrupted sync may have created the key. */
async function readOrCreate(
  tenant: TenantRecord & { readonly markNonce: string; readonly othersNanoUsd: NanoUsd },
  now: Instant,
  deps: SyncDeps,
): Promise<Result<LiteLlmRow, SyncFailure>> {
  const { config, encryptedKey } = tenant;
  const litellmRow = await deps.litellm.readSubject(config.subject, { tries: TRIES });
  if (litellmRow.ok || litellmRow.failure.kind !== "not_found" || encryptedKey === null) return litellmRow;
  const key = await decryptKey(tenant, encryptedKey, deps);
  if (key === null) return failure({ kind: "broken", why: "the encrypted virtual key cannot be decrypted" });
  const { othersNanoUsd } = tenant;
  const fields = fieldsOfNewKey(config, { mark: await markFor(tenant, null, deps), othersNanoUsd }, now);
  const created = await deps.litellm.createKey(key, { ...fields, keyAlias: config.tenantId });
  if (created.ok || !isAliasTaken(created.failure)) return created;
  return deps.litellm.createKey(key, { ...fields, keyAlias: `${config.tenantId}-${config.subject.id.slice(0, 8)}` });
}

async function decryptKey(
  { config }: TenantRecord,
  encryptedKey: string,
  { cipher, log }: SyncDeps,
): Promise<string | null> {
  try {
    return await cipher.decrypt(encryptedKey);
  } catch (error) {
    log.error("virtual key decryption failed", error, { tenant_id: config.tenantId });
    return null;
  }
}

/**
 * Reads the subject again and fails when LiteLLM kept another duration: it answers 200 to durations that it ignores,
 * such as null.
 */
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

function isAliasTaken(reason: LiteLlmFailure): boolean {
  return reason.kind === "refused" && reason.param === "key_alias";
}

function outcomeOf(tenant: TenantRecord, done: Result<Fulfilled, SyncFailure>, triedAt: Instant): SyncOutcome {
  if (!done.ok) {
    const error = messageOf(tenant, done.failure).slice(0, MAX_ERROR_CHARS);
    return { status: "pending", triedAt, error, isUnreachable: done.failure.kind === "unreachable" };
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

function messageOf(tenant: TenantRecord, reason: SyncFailure): string {
  switch (reason.kind) {
    case "unreachable":
      return `LiteLLM cannot be reached: ${reason.why}`;
    case "not_found":
      return `LiteLLM does not know this ${tenant.config.subject.kind}`;
    case "refused":
      return `LiteLLM refused: ${reason.message}`;
    case "broken":
      return `the sync stopped: ${reason.why}`;
  }
}
