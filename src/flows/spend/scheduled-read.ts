// Reads a tenant because something says that it is time: a hint, or a figure that only a read can confirm. Reads that are
// due later lie on the queue; at most one of each kind per tenant, as long as Redis can say so.

import { confirmableAt, isUnconfirmed } from "../../budget/observation.ts";
import { foldRead } from "../../budget/spend.ts";
import { type Instant, periodStartedAt, type TenantId } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import type { ReadReason } from "../../ports/messages.ts";
import { scheduledReadMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { isWorthASync } from "../litellm/drift.ts";

export type ScheduledReadDeps = Pick<Ports, "tenants" | "litellm" | "claims" | "memory" | "spendQueue" | "log">;

/** Hints coalesce to one read in this time. */
const HINT_SECONDS = 5;

/** LiteLLM's database is up to 15 s late, and later under load: a hint is looked into again after 20 s and after 60. */
export const FIRST_LOOK_SECONDS = 20;
const SECOND_LOOK_SECONDS = 40;

/** LiteLLM could not say: the read is due again, however long it takes to come back. */
const AGAIN_SECONDS = 60;

/** What fails comes again by itself, and others wait behind it. */
const TRIES = 1;

export interface ScheduledReadInput {
  readonly tenant: TenantRecord;
  /** Which later reads have come due; none: a new hint. */
  readonly reasons: readonly ReadReason[];
  readonly now: Instant;
}

/** The tenant after the read; null when it was somebody else's turn, or LiteLLM did not say. */
export async function runScheduledRead(
  input: ScheduledReadInput,
  deps: ScheduledReadDeps,
): Promise<TenantRecord | null> {
  const { tenant, reasons, now } = input;
  if (reasons.length === 0 && !(await isOurTurn(tenant.config.tenantId, now, deps))) {
    await readLater(input, "recheck-20s", FIRST_LOOK_SECONDS, deps);
    return null;
  }
  const after = await read(tenant, now, deps);
  if (after === "away") {
    // The end of a period is looked for by every sweep.
    for (const reason of reasons) if (reason !== "period-end") await readLater(input, reason, AGAIN_SECONDS, deps);
    if (reasons.length === 0) await readLater(input, "recheck-20s", FIRST_LOOK_SECONDS, deps);
    return null;
  }
  const hasRisen = (after?.spend?.spendNanoUsd ?? 0n) > (tenant.spend?.spendNanoUsd ?? 0n);
  if (after !== null && !hasRisen) await readAgain(input, deps);
  return after;
}

/** A figure that nobody has confirmed, of a tenant that is not simply all right, is read when a read can settle it. */
export async function confirmLater(input: ScheduledReadInput, deps: ScheduledReadDeps): Promise<void> {
  const { config, spend } = input.tenant;
  if (spend === null || !isUnconfirmed(spend) || stateAt(config, spend.spendNanoUsd, input.now).state === "ok") return;
  const seconds = Math.max(1, Math.ceil((confirmableAt(spend) - input.now) / 1_000));
  await readLater(input, "confirm", seconds, deps);
}

/** Null when LiteLLM has no such subject, or Postgres no such tenant any more: there is nothing to read. */
async function read(
  tenant: TenantRecord,
  now: Instant,
  deps: ScheduledReadDeps,
): Promise<TenantRecord | null | "away"> {
  const { config, spend } = tenant;
  const { tenantId, subject } = config;
  const litellmRow = await deps.litellm.readSubject(subject, { tries: TRIES });
  if (!litellmRow.ok) {
    const { failure } = litellmRow;
    deps.log.warn("litellm read failed", {
      tenant_id: tenantId,
      why: failure.kind === "unreachable" ? failure.why : failure.kind,
    });
    return failure.kind === "not_found" ? null : "away";
  }
  const period = { startedAt: periodStartedAt(config), resetsAt: config.budgetResetAt };
  const record = foldRead(spend, litellmRow.value, period);
  const after = await deps.tenants.recordSpend({ tenantId, subject, record });
  if (after !== null && isWorthASync(after, litellmRow.value, now, deps)) {
    deps.log.warn("litellm differs from the wish", { tenant_id: tenantId });
    await deps.spendQueue.send(syncMessage(tenantId));
  }
  return after;
}

async function readAgain(input: ScheduledReadInput, deps: ScheduledReadDeps): Promise<void> {
  const { reasons } = input;
  if (reasons.length === 0) return readLater(input, "recheck-20s", FIRST_LOOK_SECONDS, deps);
  if (reasons.includes("recheck-20s")) return readLater(input, "recheck-60s", SECOND_LOOK_SECONDS, deps);
  if (reasons.includes("recheck-60s")) {
    deps.log.info("hint dropped: no read confirmed it", { tenant_id: input.tenant.config.tenantId });
  }
}

async function isOurTurn(
  tenantId: TenantId,
  now: Instant,
  { claims, memory, log }: ScheduledReadDeps,
): Promise<boolean> {
  if (!memory.throttle(`hint:${tenantId}`, HINT_SECONDS, now)) return false;
  try {
    return await claims.claimRefresh(tenantId, "hint", HINT_SECONDS);
  } catch (error) {
    log.error("redis away: hints coalesce per isolate only", error, { tenant_id: tenantId });
    return true;
  }
}

/** Queued first and noted afterwards, so that a crash in between reads once too often instead of never. */
async function readLater(
  { tenant, reasons, now }: ScheduledReadInput,
  reason: ReadReason,
  seconds: number,
  { claims, memory, spendQueue, log }: ScheduledReadDeps,
): Promise<void> {
  const { tenantId } = tenant.config;
  const withoutRedis = (error: unknown) => {
    log.error("redis away: later reads coalesce per isolate only", error, { tenant_id: tenantId });
    return !memory.throttle(`read-due:${tenantId}:${reason}`, seconds, now);
  };
  // The note of the message that is being handled may outlive its delivery by a moment.
  const isDue = !reasons.includes(reason) && (await claims.isReadScheduled(tenantId, reason).catch(withoutRedis));
  if (isDue) return;
  await spendQueue.send(scheduledReadMessage(tenant.config, reason), seconds);
  await claims.noteScheduledRead(tenantId, reason, seconds).catch(withoutRedis);
}
