// Reads a tenant from LiteLLM because of hints, or to confirm counted spend. Later reads wait on the queue; a note in
// Redis, with the instant at which the read is due, keeps copies of them off the queue.

import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd } from "../../budget/money.ts";
import { isSentIn, latestPeriod } from "../../budget/period.ts";
import { LITELLM_AWAY_SECONDS } from "../../budget/schedules/backoff.ts";
import {
  groupedHintAt,
  HINT_READ_SECONDS,
  type Hint,
  hintReadAfterFailure,
  isShown,
  isUnreadable,
  nextHintRead,
} from "../../budget/schedules/hint.ts";
import { confirmableAt, isUnconfirmed } from "../../budget/spend.ts";
import type { TenantConfig, TenantId } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import type { ReadReason, SpendMessage } from "../../ports/messages.ts";
import { scheduledReadMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { SpendBound } from "../../records/ledger.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import type { RecordConditionsDeps } from "../alerts/alert-platform.ts";
import { type ObserveDeps, type Observed, observeRead, whyFailed } from "../counting/observe.ts";
import { claimDriftSync } from "../litellm/drift.ts";
import { type NoteSubjectDeps, noteSubject } from "../litellm/note-subject.ts";
import { readSpendOf } from "../litellm/read-spend.ts";
import { reportFalls } from "./report-falls.ts";

export type ScheduledReadDeps = NoteSubjectDeps &
  ObserveDeps &
  RecordConditionsDeps &
  Pick<Ports, "spendBatches" | "litellm" | "claims">;

/** Why a read is due, other than a hint. */
export type ReasonToRead = Exclude<ReadReason, "recheck-20s" | "recheck-60s">;

/** A read this long after a call, a reset or a hint shows it. Covers those of the next five seconds too. */
export const RECHECK_SECONDS = 30;

/** One try only: a failed read is scheduled again, and other tenants wait behind it. */
const TRIES = 1;

interface TenantNow {
  readonly tenant: TenantRecord;
  readonly now: Instant;
}

export interface ScheduledReadInput extends TenantNow {
  readonly hints: readonly Hint[];
  readonly reasons: readonly ReasonToRead[];
}

/**
 * The tenant after the read, or after an amount that counts because LiteLLM cannot be read. Null when nothing was
 * learned: LiteLLM did not answer, or the read is not due yet.
 */
export async function runScheduledRead(input: ScheduledReadInput, deps: ScheduledReadDeps): Promise<Observed | null> {
  const { tenant, hints, reasons, now } = input;
  if (reasons.length === 0 && !(await mayReadForHints(input, deps))) return null;
  const after = await read(tenant, now, deps);
  if (after === "unreachable") {
    // The sweep schedules `period-end` reads every minute.
    if (reasons.includes("confirm")) await readLater(input, "confirm", now + LITELLM_AWAY_SECONDS * 1_000, deps);
    for (const hint of hints) await readHintLater(input, hint, hintReadAfterFailure(hint, now), deps);
    return countAnnounced(input, deps);
  }
  if (after !== null) for (const hint of hints) await followHint({ tenant: after.tenant, now }, hint, deps);
  return after;
}

/** False when no hint's read is due, or one was made less than 5 s ago: then the reads that are due are scheduled. */
async function mayReadForHints({ tenant, hints, now }: ScheduledReadInput, deps: ScheduledReadDeps): Promise<boolean> {
  const isDue = hints.some((hint) => (nextHintRead(hint, tenant.spend) ?? Number.POSITIVE_INFINITY) <= now);
  if (isDue && (await claimHint(tenant.config.tenantId, now, deps))) return true;
  for (const hint of hints) {
    const at = nextHintRead(hint, tenant.spend);
    if (at === null) continue;
    await readHintLater({ tenant, now }, hint, at > now ? at : now + HINT_READ_SECONDS * 1_000, deps);
  }
  return false;
}

/** Schedules the next read of a hint after a read; drops the hint when no read has shown what it announced. */
async function followHint({ tenant, now }: TenantNow, hint: Hint, deps: ScheduledReadDeps): Promise<void> {
  const at = nextHintRead(hint, tenant.spend);
  if (at !== null) return readHintLater({ tenant, now }, hint, at, deps);
  if (tenant.spend !== null && !isShown(hint, tenant.spend)) {
    deps.log.info("hint dropped", { tenant_id: tenant.config.tenantId, why: "no read confirmed it" });
  }
}

/**
 * Counts the amounts of webhooks as lower bounds, because LiteLLM could not be read for a minute: those with a verified
 * time in the running period. Null when there are none.
 */
async function countAnnounced(
  { tenant, hints, now }: ScheduledReadInput,
  { spendBatches, log }: ScheduledReadDeps,
): Promise<Observed | null> {
  const { tenantId } = tenant.config;
  const bounds = hints.filter((hint) => isUnreadable(hint, now)).flatMap((hint) => boundOf(tenant, hint, now) ?? []);
  if (bounds.length === 0) return null;
  log.warn("webhook amount counted", { tenant_id: tenantId, why: "litellm could not be read" });
  const counted = (await spendBatches.count({ calls: [], bounds, notes: [] }, now)).get(tenantId);
  if (counted === undefined) return null;
  const { record: spend } = counted;
  return { tenant: { ...tenant, spend }, spendNanoUsd: spend.spendNanoUsd, nextReadAt: null, fall: null, reset: null };
}

/** Null when the amount may belong to another period, or is known already. */
function boundOf({ config, spend, periodSeenAt }: TenantRecord, hint: Hint, now: Instant): SpendBound | null {
  const { announcedNanoUsd: spendNanoUsd, signedAt, at: observedAt } = hint;
  if (spendNanoUsd === null || signedAt === null || spendNanoUsd <= (spend?.spendNanoUsd ?? 0n)) return null;
  // LiteLLM was read after the webhook, and did not show its amount.
  if ((spend?.readAt ?? 0) >= observedAt) return null;
  const period = latestPeriod(config, spend);
  if (!isSentIn(period, signedAt, periodSeenAt, now)) return null;
  const { tenantId, subject } = config;
  return { tenantId, subject, spendNanoUsd, observedAt, periodStartedAt: period.startedAt, resetsAt: period.resetsAt };
}

/**
 * Schedules a read for `nextReadAt`; without one, for when a read can settle unconfirmed spend, unless the tenant's
 * state is `ok`.
 */
export async function confirmLater(
  input: TenantNow,
  nextReadAt: Instant | null,
  deps: ScheduledReadDeps,
): Promise<void> {
  const at = nextReadAt ?? confirmationAt(input);
  if (at !== null) await readLater(input, "confirm", at, deps);
}

function confirmationAt({ tenant: { config, spend }, now }: TenantNow): Instant | null {
  if (spend === null || !isUnconfirmed(spend) || stateAt(config, spend.spendNanoUsd, now).state === "ok") return null;
  return confirmableAt(spend);
}

/** Null when LiteLLM has no such subject or the tenant was deleted. */
async function read(
  tenant: TenantRecord,
  now: Instant,
  deps: ScheduledReadDeps,
): Promise<Observed | null | "unreachable"> {
  const { tenantId } = tenant.config;
  const litellmRow = await readSpendOf(tenant, { tries: TRIES }, deps);
  if (!litellmRow.ok) {
    const { failure } = litellmRow;
    deps.log.warn("litellm read failed", { tenant_id: tenantId, why: whyFailed(failure) });
    if (failure.kind !== "not_found") return "unreachable";
    await noteSubject({ tenant, litellmRow: null, now }, deps);
    return null;
  }
  const observed = await observeRead({ tenantId, ...litellmRow.value }, now, deps);
  if (observed === null) return null;
  await reportFalls([observed], now, deps);
  const noted = await noteSubject({ tenant: observed.tenant, litellmRow: litellmRow.value, now }, deps);
  const after = { ...observed, tenant: noted };
  if (claimDriftSync(after.tenant, litellmRow.value, now, deps)) {
    deps.log.warn("litellm drifted", { tenant_id: tenantId });
    await deps.spendQueue.send(syncMessage(tenantId));
  }
  return after;
}

/** True once in 5 s per tenant; without Redis, per isolate. */
async function claimHint(
  tenantId: TenantId,
  now: Instant,
  { claims, memory, log }: ScheduledReadDeps,
): Promise<boolean> {
  if (!memory.throttle(`hint:${tenantId}`, HINT_READ_SECONDS, now)) return false;
  try {
    // No colo: every consumer shares this claim.
    return (await claims.claimRead({ tenantId, colo: "hint", seconds: HINT_READ_SECONDS })) === "claimed";
  } catch (error) {
    log.error("redis hint claim failed", error, { tenant_id: tenantId });
    return true;
  }
}

function readLater(input: TenantNow, reason: ReasonToRead, at: Instant, deps: ScheduledReadDeps): Promise<void> {
  return sendRead(input, { message: scheduledReadMessage(input.tenant.config, reason), name: reason, at }, deps);
}

/** All hints of the same five seconds share each of their reads, except those whose amounts may count. */
function readHintLater(input: TenantNow, hint: Hint, at: Instant, deps: ScheduledReadDeps): Promise<void> {
  const { tenant, now } = input;
  const mayCount = boundOf(tenant, hint, now) !== null;
  const name = `hint:${groupedHintAt(hint.at)}:${at}${mayCount ? `:${hint.announcedNanoUsd}` : ""}`;
  return sendRead(input, { message: hintReadMessage(tenant.config, hint), name, at }, deps);
}

/** Makes the consumer read the subject for an open hint. */
function hintReadMessage(config: TenantConfig, { at, announcedNanoUsd, signedAt }: Hint): SpendMessage {
  return {
    ...scheduledReadMessage(config, "recheck-20s"),
    hinted_at: groupedHintAt(at),
    ...(announcedNanoUsd !== null && { announced: decimalFromNanoUsd(announcedNanoUsd) }),
    ...(signedAt !== null && { signed_at: signedAt }),
  };
}

/** By this clock, the message in progress may be due a moment from now. */
const CLOCKS_MS = 500;

interface LaterRead {
  readonly message: SpendMessage;
  /** Reads of the same name follow one another: an earlier one schedules the next. */
  readonly name: string;
  readonly at: Instant;
}

/**
 * Queues the read and then notes it in Redis, so that a crash in between causes one read too many and not one too few.
 * Without Redis, each isolate queues at most one for the same second.
 */
async function sendRead(
  { tenant, now }: TenantNow,
  { message, name, at }: LaterRead,
  { claims, memory, spendQueue, log }: ScheduledReadDeps,
): Promise<void> {
  const { tenantId } = tenant.config;
  const seconds = Math.max(1, Math.ceil((at - now) / 1_000));
  const isQueuedHere = (error: unknown) => {
    log.error("redis scheduled read note failed", error, { tenant_id: tenantId });
    return !memory.throttle(`read-due:${tenantId}:${name}:${Math.ceil(at / 1_000)}`, seconds, now);
  };
  const isQueued = await claims
    .scheduledReadAt(tenantId, name)
    .then((noted) => noted !== null && noted > now + CLOCKS_MS && noted <= at, isQueuedHere);
  if (isQueued) return;
  await spendQueue.send(message, seconds);
  await claims.noteScheduledRead(tenantId, name, at, seconds).catch(isQueuedHere);
}
