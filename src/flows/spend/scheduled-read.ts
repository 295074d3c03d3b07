// Reads a tenant from LiteLLM after a hint, or to confirm reported spend. Later reads wait on the queue, at most one
// per tenant and reason as long as Redis answers.

import type { Instant } from "../../budget/instant.ts";
import { confirmableAt, isUnconfirmed } from "../../budget/spend.ts";
import type { TenantId } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import type { ReadReason } from "../../ports/messages.ts";
import { scheduledReadMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { type Observed, observeRead, whyFailed } from "../counting/observe.ts";
import { claimDriftSync } from "../litellm/drift.ts";
import { readSpendOf } from "../litellm/read-spend.ts";

export type ScheduledReadDeps = Pick<
  Ports,
  "tenants" | "ledgers" | "litellm" | "claims" | "memory" | "spendQueue" | "log"
>;

/** Hints within this time cause one read. */
const HINT_SECONDS = 5;

/** LiteLLM's database lags 10 to 25 s, longer under load: a hint causes further reads after 20 s and after 60 s. */
export const FIRST_RECHECK_SECONDS = 20;
const SECOND_RECHECK_SECONDS = 40;

/** The pause after a read that failed. The read is repeated until LiteLLM answers. */
const AGAIN_SECONDS = 60;

/** One try only: a failed read is scheduled again, and other tenants wait behind it. */
const TRIES = 1;

export interface ScheduledReadInput {
  readonly tenant: TenantRecord;
  /** The scheduled reads that are due; empty for a new hint. */
  readonly reasons: readonly ReadReason[];
  readonly now: Instant;
}

/** What the read has shown; null when another hint has just caused a read, or LiteLLM did not answer. */
export async function runScheduledRead(input: ScheduledReadInput, deps: ScheduledReadDeps): Promise<Observed | null> {
  const { tenant, reasons, now } = input;
  if (reasons.length === 0 && !(await claimHint(tenant.config.tenantId, now, deps))) {
    await readLater(input, "recheck-20s", FIRST_RECHECK_SECONDS, deps);
    return null;
  }
  const after = await read(tenant, now, deps);
  if (after === "unreachable") {
    // The sweep schedules `period-end` reads every minute.
    for (const reason of reasons) if (reason !== "period-end") await readLater(input, reason, AGAIN_SECONDS, deps);
    if (reasons.length === 0) await readLater(input, "recheck-20s", FIRST_RECHECK_SECONDS, deps);
    return null;
  }
  const hasRisen = (after?.tenant.spend?.spendNanoUsd ?? 0n) > (tenant.spend?.spendNanoUsd ?? 0n);
  if (after !== null && !hasRisen) await readAgain(input, deps);
  return after;
}

/**
 * Schedules a read for `nextReadAt`; without one, for when a read can settle unconfirmed spend, unless the tenant's
 * state is `ok`.
 */
export async function confirmLater(
  input: ScheduledReadInput,
  nextReadAt: Instant | null,
  deps: ScheduledReadDeps,
): Promise<void> {
  const at = nextReadAt ?? confirmationAt(input);
  if (at !== null) await readLater(input, "confirm", Math.max(1, Math.ceil((at - input.now) / 1_000)), deps);
}

function confirmationAt({ tenant: { config, spend }, now }: ScheduledReadInput): Instant | null {
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
  const litellmRow = await readSpendOf(tenant.config, { tries: TRIES }, deps);
  if (!litellmRow.ok) {
    const { failure } = litellmRow;
    deps.log.warn("litellm read failed", { tenant_id: tenantId, why: whyFailed(failure) });
    return failure.kind === "not_found" ? null : "unreachable";
  }
  const after = await observeRead({ tenantId, ...litellmRow.value }, now, deps);
  if (after !== null && claimDriftSync(after.tenant, litellmRow.value, now, deps)) {
    deps.log.warn("litellm drifted", { tenant_id: tenantId });
    await deps.spendQueue.send(syncMessage(tenantId));
  }
  return after;
}

async function readAgain(input: ScheduledReadInput, deps: ScheduledReadDeps): Promise<void> {
  const { reasons } = input;
  if (reasons.length === 0) return readLater(input, "recheck-20s", FIRST_RECHECK_SECONDS, deps);
  if (reasons.includes("recheck-20s")) return readLater(input, "recheck-60s", SECOND_RECHECK_SECONDS, deps);
  if (reasons.includes("recheck-60s")) {
    deps.log.info("hint dropped", { tenant_id: input.tenant.config.tenantId, why: "no read confirmed it" });
  }
}

/**
 * True when this hint may read: the first one of a tenant in `HINT_SECONDS`. Without Redis, the first of this isolate.
 */
async function claimHint(
  tenantId: TenantId,
  now: Instant,
  { claims, memory, log }: ScheduledReadDeps,
): Promise<boolean> {
  if (!memory.throttle(`hint:${tenantId}`, HINT_SECONDS, now)) return false;
  try {
    return await claims.claimRefresh(tenantId, "hint", HINT_SECONDS);
  } catch (error) {
    log.error("redis hint claim failed", error, { tenant_id: tenantId });
    return true;
  }
}

/**
 * Queues the read and then notes it in Redis, so that a crash in between causes one read too many and not one too few.
 * Without Redis, each isolate queues at most one.
 */
async function readLater(
  { tenant, reasons, now }: ScheduledReadInput,
  reason: ReadReason,
  seconds: number,
  { claims, memory, spendQueue, log }: ScheduledReadDeps,
): Promise<void> {
  const { tenantId } = tenant.config;
  const withoutRedis = (error: unknown) => {
    log.error("redis scheduled read note failed", error, { tenant_id: tenantId });
    return !memory.throttle(`read-due:${tenantId}:${reason}`, seconds, now);
  };
  // The note of the message in progress may expire a moment after its delivery.
  const isDue = !reasons.includes(reason) && (await claims.isReadScheduled(tenantId, reason).catch(withoutRedis));
  if (isDue) return;
  await spendQueue.send(scheduledReadMessage(tenant.config, reason), seconds);
  await claims.noteScheduledRead(tenantId, reason, seconds).catch(withoutRedis);
}
