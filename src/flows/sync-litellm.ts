// Brings LiteLLM to the wish that Postgres holds, or undoes it for a deleted tenant, and writes down how that went.
// Idempotent and safe to overlap: it reads first, sends only what differs, and starts again when the wish has changed.

import type { Instant, TenantId } from "../budget/tenant.ts";
import type { LiteLlmFailure, LiteLlmFields, Ports, SubjectReading } from "../ports.ts";
import { failure, type Result, success } from "../result.ts";
import type { SyncOutcome, TenantRecord } from "../tenant-record.ts";
import { fieldsOfNewKey, inSteps, missingIn, toRestore } from "./litellm-wish.ts";

export type SyncDeps = Pick<Ports, "tenants" | "litellm" | "sealer" | "log">;

export type SyncResult =
  /** LiteLLM has the wish. `reading` is what it said, from before the last update unless that moved its reset. */
  | { readonly kind: "synced"; readonly tenant: TenantRecord; readonly reading: SubjectReading }
  /** The sweep goes on; `failure` is why. */
  | { readonly kind: "pending"; readonly tenant: TenantRecord; readonly failure: LiteLlmFailure }
  /** The tenant is gone, in LiteLLM too. */
  | { readonly kind: "removed" };

/** The wish changes while it is sent only when two administrators meet; after three rounds the sweep goes on. */
const ROUNDS = 3;

/** An administrator waits for the answer, so not as often as behind a check. */
const TRIES = 2;

/** Enough for LiteLLM's sentence, too little for a page of HTML. */
const MAX_WORDS = 300;

export async function syncLiteLlm(
  { tenantId, now }: { tenantId: TenantId; now: Instant },
  deps: SyncDeps,
): Promise<SyncResult> {
  let overtaken: SyncResult = { kind: "removed" };
  for (let round = 0; round < ROUNDS; round++) {
    const tenant = await deps.tenants.loadEvenDeleted(tenantId);
    if (tenant === null) return { kind: "removed" };
    const done = tenant.deletedAt === null ? await fulfil(tenant, now, deps) : await release(tenant, now, deps);
    if (done === "released") {
      await deps.tenants.remove(tenantId);
      return { kind: "removed" };
    }
    const outcome = outcomeOf(tenant, done);
    if (outcome.status === "pending")
      deps.log.warn("litellm sync pending", { tenant_id: tenantId, why: outcome.error });
    const recorded = await deps.tenants.recordSync(tenantId, tenant.config.revision, outcome);
    if (recorded !== null) return resultOf(recorded, done);
    overtaken = { kind: "pending", tenant, failure: { kind: "unreachable", why: "the tenant changed meanwhile" } };
  }
  return overtaken;
}

/** The same, where Postgres has the wish already: whatever breaks now is logged, and the sweep goes on. */
export async function trySyncLiteLlm(tenant: TenantRecord, now: Instant, deps: SyncDeps): Promise<SyncResult> {
  const { tenantId } = tenant.config;
  try {
    return await syncLiteLlm({ tenantId, now }, deps);
  } catch (error) {
    deps.log.error("litellm sync broke off", error, { tenant_id: tenantId });
    return { kind: "pending", tenant, failure: { kind: "unreachable", why: "the sync broke off" } };
  }
}

/** True when LiteLLM does not have the wish: somebody has changed it there. */
export function differsFromWish(tenant: TenantRecord, reading: SubjectReading, now: Instant): boolean {
  const { fields, softBudget } = missingIn(tenant, reading, now);
  // An old LiteLLM knows no soft budget of a team: telling it again at every read would change nothing.
  const { softBudgetNanoUsd: _, ...rest } = fields;
  const lacking = reading.softBudgetNanoUsd === null ? rest : fields;
  return softBudget !== null || Object.keys(lacking).length > 0;
}

async function fulfil(
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<Result<SubjectReading, LiteLlmFailure>> {
  const reading = await readOrCreate(tenant, now, deps);
  if (!reading.ok) return reading;
  const { fields, softBudget } = missingIn(tenant, reading.value, now);
  if (softBudget !== null) {
    const told = await deps.litellm.updateSoftBudget(softBudget.budgetId, softBudget.nanoUsd);
    if (!told.ok) return told;
  }
  const told = await send(tenant, fields, deps);
  if (!told.ok) return told;
  return fields.budgetDuration === undefined ? reading : readMovedReset(tenant, deps);
}

/** A key whose creation was cut off may exist already, so it is looked for before it is made. */
async function readOrCreate(
  tenant: TenantRecord,
  now: Instant,
  deps: SyncDeps,
): Promise<Result<SubjectReading, LiteLlmFailure>> {
  const { config, sealedKey } = tenant;
  const reading = await deps.litellm.readSubject(config.subject, { tries: TRIES });
  if (reading.ok || reading.failure.kind !== "not_found" || sealedKey === null) return reading;
  const key = await deps.sealer.open(sealedKey);
  const fields = fieldsOfNewKey(config, now);
  const created = await deps.litellm.createKey(key, { ...fields, keyAlias: config.tenantId });
  if (created.ok || !isAliasTaken(created.failure)) return created;
  return deps.litellm.createKey(key, { ...fields, keyAlias: `${config.tenantId}-${config.subject.id.slice(0, 8)}` });
}

/** Our key is deleted, an adopted subject gets back what it had. What LiteLLM no longer knows needs neither. */
async function release(tenant: TenantRecord, now: Instant, deps: SyncDeps) {
  const { config, priorValues } = tenant;
  const undo = async (): Promise<Result<unknown, LiteLlmFailure>> => {
    if (!tenant.adopted && config.subject.kind === "key") return deps.litellm.deleteKey(config.subject.id);
    if (priorValues === null) return success(null);
    const reading = await deps.litellm.readSubject(config.subject, { tries: TRIES });
    return reading.ok ? send(tenant, toRestore(tenant, priorValues, reading.value, now), deps) : reading;
  };
  const undone = await undo();
  return undone.ok || undone.failure.kind === "not_found" ? "released" : failure(undone.failure);
}

async function send(
  tenant: TenantRecord,
  fields: Partial<LiteLlmFields>,
  deps: SyncDeps,
): Promise<Result<void, LiteLlmFailure>> {
  for (const step of inSteps(fields)) {
    const told = await deps.litellm.updateSubject(tenant.config.subject, step);
    if (!told.ok) return told;
  }
  return success(undefined);
}

/** LiteLLM takes a null duration with a 200 and keeps the old one: that is a refusal, and it must be seen. */
async function readMovedReset(
  { config }: TenantRecord,
  deps: SyncDeps,
): Promise<Result<SubjectReading, LiteLlmFailure>> {
  const reading = await deps.litellm.readSubject(config.subject, { tries: TRIES });
  if (!reading.ok || config.budgetDuration !== null || reading.value.budgetDuration === null) return reading;
  const message = `it keeps the budget_duration ${reading.value.budgetDuration}, which it cannot take away`;
  return failure({ kind: "refused", status: 200, param: "budget_duration", message });
}

function isAliasTaken(reason: LiteLlmFailure): boolean {
  return reason.kind === "refused" && reason.param === "key_alias";
}

function outcomeOf(tenant: TenantRecord, done: Result<SubjectReading, LiteLlmFailure>): SyncOutcome {
  if (!done.ok) return { status: "pending", error: wordsOf(tenant, done.failure) };
  const { begunAt, budgetId, resetsAt, createdAt } = done.value;
  return { status: "synced", readAt: begunAt, budgetId, resetsAt, subjectCreatedAt: createdAt };
}

function resultOf(tenant: TenantRecord, done: Result<SubjectReading, LiteLlmFailure>): SyncResult {
  return done.ok ? { kind: "synced", tenant, reading: done.value } : { kind: "pending", tenant, failure: done.failure };
}

function wordsOf(tenant: TenantRecord, reason: LiteLlmFailure): string {
  switch (reason.kind) {
    case "unreachable":
      return `LiteLLM cannot be reached: ${reason.why}`.slice(0, MAX_WORDS);
    case "not_found":
      return `LiteLLM does not know this ${tenant.config.subject.kind}`;
    case "refused":
      return `LiteLLM refused: ${reason.message}`.slice(0, MAX_WORDS);
  }
}
