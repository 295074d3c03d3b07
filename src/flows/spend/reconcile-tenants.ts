// Reconciles the tenants of one message of the sweep: reads them in LiteLLM, all keys in one request, then records,
// announces and publishes their spend. A tenant that fails keeps its lease; when it expires, the sweep leases it again.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import { syncMessage } from "../../ports/messages.ts";
import { Outage } from "../../ports/outage.ts";
import type { KeyToRead, Ports } from "../../ports/ports.ts";
import { type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantBatch, TenantFault, TenantRecord } from "../../records/tenant.ts";
import { recordConditions } from "../alerts/alert-platform.ts";
import { type AnnounceDeps, announceAlerts } from "../alerts/announce-alerts.ts";
import { announceReset } from "../alerts/announce-change.ts";
import { type Observed, observeReads, whyFailed } from "../counting/observe.ts";
import { publishSpend } from "../edge/publish-spend.ts";
import { claimDriftSync } from "../litellm/drift.ts";
import { noteSubject } from "../litellm/note-subject.ts";
import { hasOneKey, readSpendOf } from "../litellm/read-spend.ts";
import { mapConcurrently } from "../waiting.ts";
import { LEASE_MS } from "./lease-reads.ts";
import { evaluateBefore } from "./record-spend.ts";
import { reportFalls } from "./report-falls.ts";
import { confirmLater, type ScheduledReadDeps } from "./scheduled-read.ts";

export type ReconcileDeps = AnnounceDeps & ScheduledReadDeps & Pick<Ports, "readLeases" | "platformAlerts">;

export interface ReconcileInput {
  readonly tenantIds: readonly TenantId[];
  /** When the message's leases expire. */
  readonly lease: Instant;
  readonly now: Instant;
}

/** How many teams or tenants at a time: a Worker has six connections. */
const AT_ONCE = 4;

/** A subject that LiteLLM does not know is read again an hour later, like every other tenant. */
const UNKNOWN_MS = 3_600_000;

/** One try only: a failed read is leased again, and other tenants wait behind it. */
const TRIES = 1;

interface Read {
  readonly tenantBatch: TenantBatch;
  readonly litellmRow: LiteLlmRow;
}

type RecordedRead = Read & Observed;

/**
 * Moves the leases before it reads, so that a second delivery of the message finds none and does nothing. Returns how
 * many tenants it took. @throws when Postgres or the queue cannot be reached.
 */
export async function reconcileTenants(
  { tenantIds, lease, now }: ReconcileInput,
  deps: ReconcileDeps,
): Promise<number> {
  const until = now + LEASE_MS;
  const taken = await deps.readLeases.move(tenantIds, lease, until);
  const references = taken.map((id) => ({ kind: "tenant", id }) as const);
  const onUnreadable = (fault: TenantFault) => logFault(fault, deps);
  const tenantBatches = await deps.spendBatches.load(references, { withPending: false, onUnreadable });
  const { reads, unknown, failures } = await readSubjects(tenantBatches, deps);
  if (failures.length > 0 && reads.length === 0) await reportFailures(failures, now, deps);

  // A tenant whose earlier spend could not be evaluated is left out: its new spend would turn the baseline into news.
  const evaluated = await keepSucceeded(reads, ({ tenantBatch }) => evaluateBefore({ tenantBatch }, now, deps), deps);
  const recorded = await recordReads(evaluated, now, deps);
  const done = await keepSucceeded(recorded, (read) => announceRead(read, now, deps), deps);
  await queueSyncs(reads, now, deps);
  const noted = await keepSucceeded(
    unknown,
    ({ tenantBatch: { tenant } }) => noteSubject({ tenant, litellmRow: null, now }, deps),
    deps,
  );
  await deps.readLeases.move(idsOf(done), until, null);
  await deps.readLeases.move(idsOf(noted), until, now + UNKNOWN_MS);
  return taken.length;
}

function logFault({ tenantId, cause }: TenantFault, { log }: Pick<Ports, "log">): void {
  log.error("tenant reconcile failed", cause, { tenant_id: tenantId });
}

async function keepSucceeded<R extends Pick<Read, "tenantBatch">>(
  reads: readonly R[],
  work: (read: R) => Promise<unknown>,
  deps: ReconcileDeps,
): Promise<R[]> {
  const done: R[] = [];
  await mapConcurrently(reads, AT_ONCE, async (read) => {
    try {
      await work(read);
      done.push(read);
    } catch (cause) {
      logFault({ tenantId: idOf(read.tenantBatch), cause }, deps);
    }
  });
  return done;
}

/** Null when LiteLLM says that it has no such subject. */
type Answer = Result<LiteLlmRow | null, LiteLlmFailure>;

/** A tenant whose read failed is in neither list. */
async function readSubjects(tenantBatches: readonly TenantBatch[], deps: ReconcileDeps) {
  const answers = new Map([...(await readKeys(tenantBatches, deps)), ...(await readOthers(tenantBatches, deps))]);
  const reads: Read[] = [];
  const unknown: Pick<Read, "tenantBatch">[] = [];
  const failures: FailedRead[] = [];
  for (const [tenantBatch, answer] of answers) {
    if (!answer.ok) failures.push({ tenantId: idOf(tenantBatch), failure: answer.failure });
    else if (answer.value === null) unknown.push({ tenantBatch });
    else reads.push({ tenantBatch, litellmRow: answer.value });
  }
  const [first] = failures;
  if (first !== undefined) {
    deps.log.warn("litellm read failed", {
      tenants: failures.length,
      tenant_id: first.tenantId,
      why: whyFailed(first.failure),
    });
  }
  return { reads, unknown, failures };
}

interface FailedRead {
  readonly tenantId: TenantId;
  readonly failure: LiteLlmFailure;
}

const isUnparseable = ({ failure }: FailedRead): boolean =>
  failure.kind === "unreachable" && failure.isUnparseable === true;

/**
 * Alerts the operators, at most once a day, when LiteLLM answers for a whole batch and Bursar can parse none of it: an
 * update of LiteLLM may have changed its answers. An outage has an alert of its own.
 */
async function reportFailures(failures: readonly FailedRead[], now: Instant, deps: ReconcileDeps): Promise<void> {
  const [first] = failures;
  if (first === undefined || !failures.every(isUnparseable)) return;
  const detail = { tenants: failures.length, tenant_id: first.tenantId, error: whyFailed(first.failure) };
  const condition = { kind: "litellm_unreadable", detail } as const;
  await recordConditions([condition], now, deps);
}

/** A key that the list does not show is read alone: only then LiteLLM says whether it knows the key. */
async function readKeys(tenantBatches: readonly TenantBatch[], deps: ReconcileDeps): Promise<Map<TenantBatch, Answer>> {
  const byKey = new Map(
    tenantBatches.flatMap((tenantBatch) => {
      const { config } = tenantBatch.tenant;
      const { subject } = config;
      return subject.kind === "key" && hasOneKey(config) ? [[subject.id, tenantBatch] as const] : [];
    }),
  );
  if (byKey.size === 0) return new Map();
  const listed = await deps.litellm.readKeys([...byKey].map(([keyHash, { tenant }]) => keyToRead(keyHash, tenant)));
  if (!listed.ok) return new Map([...byKey.values()].map((tenantBatch) => [tenantBatch, listed]));
  const shown = [...byKey].flatMap(([keyHash, tenantBatch]) => {
    const litellmRow = listed.value.get(keyHash);
    return litellmRow === undefined ? [] : [[tenantBatch, success(litellmRow)] as const];
  });
  const others = [...byKey].filter(([keyHash]) => !listed.value.has(keyHash)).map(([, tenantBatch]) => tenantBatch);
  return new Map<TenantBatch, Answer>([...shown, ...(await readAlone(others, deps))]);
}

function keyToRead(keyHash: KeyHash, { config }: TenantRecord): KeyToRead {
  return { keyHash, tenantId: config.tenantId, createdAt: config.subjectCreatedAt };
}

/** Teams, and the few tenants of which one key does not show the spend. */
function readOthers(tenantBatches: readonly TenantBatch[], deps: ReconcileDeps): Promise<Map<TenantBatch, Answer>> {
  const others = tenantBatches.filter(({ tenant: { config } }) => config.subject.kind === "team" || !hasOneKey(config));
  return readAlone(others, deps);
}

async function readAlone(
  tenantBatches: readonly TenantBatch[],
  deps: ReconcileDeps,
): Promise<Map<TenantBatch, Answer>> {
  const answers = new Map<TenantBatch, Answer>();
  await mapConcurrently(tenantBatches, AT_ONCE, async (tenantBatch) => {
    const litellmRow = await readSpendOf(tenantBatch.tenant, { tries: TRIES }, deps);
    const isUnknown = !litellmRow.ok && litellmRow.failure.kind === "not_found";
    answers.set(tenantBatch, isUnknown ? success(null) : litellmRow);
  });
  return answers;
}

const idOf = ({ tenant }: TenantBatch): TenantId => tenant.config.tenantId;
const idsOf = (reads: readonly Pick<Read, "tenantBatch">[]) => reads.map(({ tenantBatch }) => idOf(tenantBatch));

/** Records all reads at once. A tenant whose ledger kept changing is busy, so others read it. */
async function recordReads(reads: readonly Read[], now: Instant, deps: ReconcileDeps): Promise<RecordedRead[]> {
  const observed = await observeAll(reads, now, deps).catch((cause: unknown) => {
    if (cause instanceof Outage) throw cause;
    return observeApart(reads, now, deps);
  });
  await reportFalls(
    [...observed.values()].flatMap((after) => after ?? []),
    now,
    deps,
  );
  return reads.flatMap((read) => {
    const after = observed.get(idOf(read.tenantBatch)) ?? null;
    return after === null ? [] : [{ ...read, ...after }];
  });
}

function observeAll(reads: readonly Read[], now: Instant, deps: ReconcileDeps) {
  const asked = reads.map(({ tenantBatch, litellmRow }) => ({ tenantId: idOf(tenantBatch), ...litellmRow }));
  return observeReads(asked, now, deps);
}

/** After a fault of one of the tenants: records each by itself. A read that was recorded already changes nothing. */
async function observeApart(reads: readonly Read[], now: Instant, deps: ReconcileDeps) {
  const observed = new Map<TenantId, Observed | null>();
  const record = async (read: Read) => {
    for (const [tenantId, outcome] of await observeAll([read], now, deps)) observed.set(tenantId, outcome);
  };
  await keepSucceeded(reads, record, deps);
  return observed;
}

async function announceRead(read: RecordedRead, now: Instant, deps: ReconcileDeps): Promise<void> {
  const { tenantBatch, nextReadAt } = read;
  const { history } = tenantBatch;
  const tenant = await noteSubject({ ...read, now }, deps);
  await announceReset({ ...read, tenant }, now, deps);
  await announceAlerts({ tenantBatch: { tenant, history }, isBaseline: false, repeats: [], now }, deps);
  if (nextReadAt !== null) await confirmLater({ tenant, now }, nextReadAt, deps);
  if (isWorthPublishing(tenantBatch, read, now)) await publishSpend({ tenant, isAnnounced: false, now }, deps);
}

/**
 * False for an unchanged tenant in state `ok`. Any other tenant is published again, because the consumer that recorded
 * its spend may have crashed before publishing it.
 */
function isWorthPublishing(
  { tenant: before }: TenantBatch,
  { tenant: { config }, spendNanoUsd }: Observed,
  now: Instant,
): boolean {
  const hasChanged = before.spend?.spendNanoUsd !== spendNanoUsd || before.config.revision !== config.revision;
  return hasChanged || stateAt(config, spendNanoUsd, now).state !== "ok";
}

async function queueSyncs(reads: readonly Read[], now: Instant, deps: ReconcileDeps) {
  const drifted = reads.filter(({ tenantBatch, litellmRow }) =>
    claimDriftSync(tenantBatch.tenant, litellmRow, now, deps),
  );
  const tenantIds = idsOf(drifted);
  const [first] = tenantIds;
  if (first === undefined) return;
  deps.log.warn("litellm drifted", { tenant_id: first, drifted: drifted.length });
  await deps.spendQueue.sendAll(tenantIds.map(syncMessage));
}
