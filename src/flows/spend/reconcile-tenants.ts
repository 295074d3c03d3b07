// One message of the sweep's: tenants that nobody has read for long are read in LiteLLM, all keys at once, and what that
// shows is recorded and told. Whatever breaks off keeps its lease, which runs out, and the sweep gives the tenant again.

import { foldRead, type SpendRecord } from "../../budget/spend.ts";
import { type Instant, periodStartedAt, type TenantId } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import { syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantBatch, TenantObservation } from "../../records/tenant-batch.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceDeps, announceAlerts } from "../alerts/announce-alerts.ts";
import { publishSpend } from "../edge/publish-spend.ts";
import { isWorthASync } from "../litellm/drift.ts";
import { mapConcurrently } from "../waiting.ts";
import { LEASE_MS } from "./lease-reads.ts";
import { evaluateBefore } from "./record-spend.ts";

export type ReconcileDeps = AnnounceDeps &
  Pick<Ports, "readLeases" | "tenants" | "litellm" | "snapshots" | "memory" | "spendQueue">;

export interface ReconcileInput {
  readonly tenantIds: readonly TenantId[];
  /** Until when the message has them. */
  readonly lease: Instant;
  readonly now: Instant;
}

/** Teams and tenants at a time: a Worker has six connections. */
const AT_ONCE = 4;

/** Whom LiteLLM does not know is asked for again with everybody else, an hour later. */
const UNKNOWN_MS = 3_600_000;

/** What fails is leased again; others wait behind it. */
const TRIES = 1;

interface Read {
  readonly tenantBatch: TenantBatch;
  readonly litellmRow: LiteLlmRow;
  readonly record: SpendRecord;
}

/**
 * Its leases are moved before anything is read, so that a second delivery of the message finds none and does nothing.
 * @throws when Postgres or the queue cannot be reached.
 */
export async function reconcileTenants({ tenantIds, lease, now }: ReconcileInput, deps: ReconcileDeps): Promise<void> {
  const until = now + LEASE_MS;
  const taken = await deps.readLeases.move(tenantIds, lease, until);
  const references = taken.map((id) => ({ kind: "tenant", id }) as const);
  const tenantBatches = await deps.spendBatches.open(references, { withPending: false });
  const { reads, unknown } = await readSubjects(tenantBatches, deps);

  // Whose old figure could not be looked at keeps it: the new one would make its baseline news.
  const lastEvaluation = await whichSucceed(
    reads,
    ({ tenantBatch }) => evaluateBefore({ tenantBatch }, now, deps),
    deps,
  );
  await deps.spendBatches.record(lastEvaluation.filter(isPlain).map(observationOf), []);
  const done = await whichSucceed(lastEvaluation, (read) => settleRead(read, now, deps), deps);
  await queueSyncs(reads, unknown, now, deps);
  await deps.readLeases.move(
    done.map(({ tenantBatch }) => idOf(tenantBatch)),
    until,
    null,
  );
  await deps.readLeases.move(unknown.map(idOf), until, now + UNKNOWN_MS);
}

async function whichSucceed(
  reads: readonly Read[],
  work: (read: Read) => Promise<void>,
  { log }: ReconcileDeps,
): Promise<Read[]> {
  const done: Read[] = [];
  await mapConcurrently(reads, AT_ONCE, async (read) => {
    try {
      await work(read);
      done.push(read);
    } catch (cause) {
      log.error("a tenant was not reconciled: the sweep tries again", cause, { tenant_id: idOf(read.tenantBatch) });
    }
  });
  return done;
}

/** Null: LiteLLM has no such subject. */
type Answer = Result<LiteLlmRow | null, LiteLlmFailure>;

/** What LiteLLM could not say is in neither of the two. */
async function readSubjects(tenantBatches: readonly TenantBatch[], deps: ReconcileDeps) {
  const answers = new Map([...(await readKeys(tenantBatches, deps)), ...(await readTeams(tenantBatches, deps))]);
  const reads: Read[] = [];
  const unknown: TenantBatch[] = [];
  const failures: LiteLlmFailure[] = [];
  for (const [tenantBatch, answer] of answers) {
    if (!answer.ok) failures.push(answer.failure);
    else if (answer.value === null) unknown.push(tenantBatch);
    else reads.push({ tenantBatch, litellmRow: answer.value, record: recordOf(tenantBatch, answer.value) });
  }
  const [first] = failures;
  if (first !== undefined) {
    const why = first.kind === "unreachable" ? first.why : first.kind;
    deps.log.warn("litellm could not be read: the sweep tries again", { tenants: failures.length, why });
  }
  return { reads, unknown };
}

async function readKeys(
  tenantBatches: readonly TenantBatch[],
  { litellm }: ReconcileDeps,
): Promise<Map<TenantBatch, Answer>> {
  const byKey = new Map(
    tenantBatches.flatMap((tenantBatch) => {
      const { subject } = tenantBatch.tenant.config;
      return subject.kind === "key" ? [[subject.id, tenantBatch] as const] : [];
    }),
  );
  if (byKey.size === 0) return new Map();
  const listed = await litellm.readKeys([...byKey.keys()]);
  if (!listed.ok) return new Map([...byKey.values()].map((tenantBatch) => [tenantBatch, listed]));
  const litellmRows = new Map(listed.value.map((litellmRow) => [litellmRow.subject.id, litellmRow]));
  return new Map([...byKey].map(([id, tenantBatch]) => [tenantBatch, success(litellmRows.get(id) ?? null)]));
}

async function readTeams(
  tenantBatches: readonly TenantBatch[],
  { litellm }: ReconcileDeps,
): Promise<Map<TenantBatch, Answer>> {
  const answers = new Map<TenantBatch, Answer>();
  const teams = tenantBatches.filter(({ tenant }) => tenant.config.subject.kind === "team");
  await mapConcurrently(teams, AT_ONCE, async (tenantBatch) => {
    const litellmRow = await litellm.readSubject(tenantBatch.tenant.config.subject, { tries: TRIES });
    const isUnknown = !litellmRow.ok && litellmRow.failure.kind === "not_found";
    answers.set(tenantBatch, isUnknown ? success(null) : litellmRow);
  });
  return answers;
}

const idOf = ({ tenant }: TenantBatch): TenantId => tenant.config.tenantId;

function recordOf({ tenant: { config, spend } }: TenantBatch, litellmRow: LiteLlmRow): SpendRecord {
  return foldRead(spend, litellmRow, { startedAt: periodStartedAt(config), resetsAt: config.budgetResetAt });
}

/** Neither another period nor a figure that went down: joining it with what Postgres has by now is all there is to do. */
function isPlain({ tenantBatch, record }: Read): boolean {
  const { config, spend } = tenantBatch.tenant;
  const isSamePeriod = record.periodStartedAt === periodStartedAt(config) && record.resetsAt === config.budgetResetAt;
  return isSamePeriod && record.spendNanoUsd >= (spend?.spendNanoUsd ?? 0n);
}

function observationOf({ tenantBatch, record }: Read): TenantObservation {
  const { tenantId, subject } = tenantBatch.tenant.config;
  return { tenantId, subject, record };
}

async function settleRead(read: Read, now: Instant, deps: ReconcileDeps): Promise<void> {
  const { tenantBatch, record } = read;
  const tenant = isPlain(read)
    ? { ...tenantBatch.tenant, spend: record }
    : await deps.tenants.recordSpend(observationOf(read));
  if (tenant === null) return;
  const { history } = tenantBatch;
  await announceAlerts(
    { tenantBatch: { tenant, history }, isBaseline: false, repeats: [], projections: [], now },
    deps,
  );
  if (isWorthTelling(read, tenant, now)) await publishSpend({ tenant, isAnnounced: false, now }, deps);
}

/**
 * What is all right and as it was the edge need not hear every hour. Of anybody else it hears again, because whoever
 * recorded the figure may have died before it told.
 */
function isWorthTelling({ tenantBatch, record }: Read, { config, spend }: TenantRecord, now: Instant): boolean {
  const before = tenantBatch.tenant;
  const isNews = before.spend?.spendNanoUsd !== spend?.spendNanoUsd || before.config.revision !== config.revision;
  return isNews || stateAt(config, record.spendNanoUsd, now).state !== "ok";
}

/** A subject that is not there is no wish that LiteLLM has: its sync says so where an administrator looks. */
async function queueSyncs(reads: readonly Read[], unknown: readonly TenantBatch[], now: Instant, deps: ReconcileDeps) {
  const differing = reads.filter(({ tenantBatch, litellmRow }) =>
    isWorthASync(tenantBatch.tenant, litellmRow, now, deps),
  );
  const missing = unknown.filter(({ tenant }) => tenant.sync.status === "synced");
  const tenantIds = [...differing.map(({ tenantBatch }) => idOf(tenantBatch)), ...missing.map(idOf)];
  const [first] = tenantIds;
  if (first === undefined) return;
  const counts = { differ: differing.length, unknown: missing.length };
  deps.log.warn("litellm differs from the wish", { tenant_id: first, ...counts });
  await deps.spendQueue.sendAll(tenantIds.map(syncMessage));
}
