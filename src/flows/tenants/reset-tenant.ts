// An administrator begins a new period now. LiteLLM zeroes the spend first, because otherwise the next read would undo
// the reset. Then the flow records the period in Postgres, publishes it to the edge, and announces it.

import { type Ledger, replaceLedger } from "../../budget/counting.ts";
import type { Instant } from "../../budget/instant.ts";
import { periodStartedAt } from "../../budget/period.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { scheduledReadMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { Actor, AuditedChange, TenantRecord } from "../../records/tenant.ts";
import { type AnnounceDeps, announceAlerts } from "../alerts/announce-alerts.ts";
import { announceReset } from "../alerts/announce-change.ts";
import { resetOf } from "../counting/observe.ts";
import { type PublishDeps, publishPeriod } from "../edge/publish.ts";
import { readSpendOf } from "../litellm/read-spend.ts";
import { RECHECK_SECONDS } from "../spend/scheduled-read.ts";
import type { NotChanged } from "./not-changed.ts";

export type ResetDeps = PublishDeps & AnnounceDeps & Pick<Ports, "tenants" | "ledgers" | "litellm" | "background">;

export type ResetFailure =
  | { readonly kind: NotChanged }
  /** LiteLLM has no way to zero a team's spend. */
  | { readonly kind: "is_team" }
  /** LiteLLM does not know the key. */
  | { readonly kind: "subject_not_found" }
  | { readonly kind: "litellm_refused"; readonly status: number; readonly message: string }
  /**
   * `hasZeroed` is false when neither LiteLLM's answer nor its spend shows the reset. Repeating the reset does no harm.
   */
  | { readonly kind: "litellm_unreachable"; readonly hasZeroed: boolean }
  /** LiteLLM has zeroed the spend, but Postgres did not record the period. Repeating the reset records it. */
  | { readonly kind: "not_recorded" };

export interface ResetInput {
  readonly tenantId: TenantId;
  readonly actor: Actor;
}

/** An administrator waits for the answer. */
const TRIES = 3;

/** A read 45 s after the first recheck proves that LiteLLM's spend fell, even if no consumer scheduled one. */
const LAST_RECHECK_SECONDS = 75;

/**
 * The tenant in its new period, or in the period that another reset has begun meanwhile. Continues when the
 * administrator disconnects, because LiteLLM may have zeroed the spend by then. @throws when Postgres cannot be
 * reached: nothing was changed.
 */
export async function resetTenant(input: ResetInput, deps: ResetDeps): Promise<Result<TenantRecord, ResetFailure>> {
  const reset = zeroAndBegin(input, deps);
  deps.background("tenant reset", reset);
  return reset;
}

async function zeroAndBegin(
  { tenantId, actor }: ResetInput,
  deps: ResetDeps,
): Promise<Result<TenantRecord, ResetFailure>> {
  const before = await deps.tenants.load(tenantId);
  if (before === null) return failure({ kind: "not_found" });
  // LiteLLM zeroes the spend before Postgres is asked, so this is the last moment to refuse.
  const { ifVersion } = actor.operation;
  if (ifVersion?.includes(before.settingsVersion) === false) return failure({ kind: "other_version" });
  const { subject } = before.config;
  if (subject.kind === "team") return failure({ kind: "is_team" });
  const zeroed = await zeroKeys(before.config, subject.id, deps);
  if (!zeroed.ok && zeroed.failure.kind !== "unreachable") return failure(failureOf(zeroed.failure, false));
  // What removed keys had spent belongs to the period that ends.
  const config = { ...before.config, carriedNanoUsd: 0n };
  const read = await readSpendOf({ config, spend: null }, { tries: TRIES }, deps);
  if (!read.ok) return failure(failureOf(read.failure, zeroed.ok));
  if (!zeroed.ok && !showsZeroed(await ledgerOf(before.config, deps), read.value))
    return failure(failureOf(zeroed.failure, false));
  return beginPeriod(before, read.value, actor, deps);
}

/** The outcome of the newest key's reset, or of an older key's that failed. LiteLLM may have deleted an older key. */
async function zeroKeys(
  { otherKeys }: TenantConfig,
  newest: KeyHash,
  { litellm }: ResetDeps,
): Promise<Result<void, LiteLlmFailure>> {
  for (const { hash } of otherKeys) {
    const zeroed = await litellm.resetSpend(hash);
    if (!zeroed.ok && zeroed.failure.kind !== "not_found") return zeroed;
  }
  return litellm.resetSpend(newest);
}

async function ledgerOf({ tenantId, subject }: TenantConfig, { ledgers }: ResetDeps): Promise<Ledger | null> {
  const [open] = await ledgers.load([{ tenantId, subject, answeredAt: 0 }]);
  return open?.ledger ?? null;
}

/** LiteLLM's answer was lost: its spend shows the reset when it fell below what a read has shown before. */
function showsZeroed(ledger: Ledger | null, { spendNanoUsd }: LiteLlmRow): boolean {
  return spendNanoUsd === 0n || (ledger !== null && spendNanoUsd < ledger.baseNanoUsd);
}

async function beginPeriod(
  before: TenantRecord,
  litellmRow: LiteLlmRow,
  actor: Actor,
  deps: ResetDeps,
): Promise<Result<TenantRecord, ResetFailure>> {
  const { tenantId } = before.config;
  let reset: AuditedChange | null;
  try {
    reset = await recordReset(before, litellmRow, actor, deps);
  } catch (cause) {
    deps.log.error("period reset recorded in litellm only", cause, { tenant_id: tenantId });
    return failure({ kind: "not_recorded" });
  }
  if (reset === null) return failure({ kind: "not_found" });
  await publishPeriod(reset.tenant, actor.now, deps);
  await followUp(reset, actor.now, deps);
  return success(reset.tenant);
}

/** Calls that are counted meanwhile change the ledger. */
const ROUNDS = 6;

async function recordReset(
  { config }: TenantRecord,
  litellmRow: LiteLlmRow,
  actor: Actor,
  { ledgers, tenants }: ResetDeps,
): Promise<AuditedChange | null> {
  const { tenantId, subject } = config;
  const since = periodStartedAt(config);
  // The period begins after LiteLLM's answer, so that earlier reads, which may show the old spend, belong to the old
  // period.
  const startedAt = Math.max(litellmRow.begunAt, since + 1);
  for (let round = 0; round < ROUNDS; round++) {
    const [open] = await ledgers.load([{ tenantId, subject, answeredAt: litellmRow.answeredAt }]);
    if (open === undefined) return null;
    const ledger = replaceLedger(open.ledger, litellmRow, startedAt, open.calls.afterCutoffNanoUsd);
    const change = { tenantId, subject, ledger: { ...ledger, spendRateNanoUsdPerSecond: 0n }, version: open.version };
    const reset = await tenants.resetPeriod(change, since, actor);
    if (reset !== "stale") return reset;
  }
  throw new Error("the ledger kept changing");
}

/** Announces and schedules reads. A failure here does not fail the reset; the sweep repeats these steps. */
async function followUp({ tenant, auditId }: AuditedChange, now: Instant, deps: ResetDeps): Promise<void> {
  const { config } = tenant;
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (cause) {
      deps.log.error(`${what} failed`, cause, { tenant_id: config.tenantId });
    }
  };
  if (auditId !== null) {
    await attempt("period announcement", () => announceReset({ tenant, reset: resetOf(config) }, now, deps));
    await attempt("resolution announcement", () => announceResolution(config, now, deps));
  }
  // By then LiteLLM has written to its database the calls that were in progress at the reset.
  await attempt("scheduled read enqueue", () =>
    deps.spendQueue.send(scheduledReadMessage(config, "recheck-20s"), RECHECK_SECONDS),
  );
  await attempt("scheduled read enqueue", () =>
    deps.spendQueue.send(scheduledReadMessage(config, "confirm"), LAST_RECHECK_SECONDS),
  );
}

/** The new period may resolve a block of the old spend. */
async function announceResolution({ tenantId }: TenantConfig, now: Instant, deps: ResetDeps): Promise<void> {
  const [tenantBatch] = await deps.spendBatches.load([{ kind: "tenant", id: tenantId }], { withPending: false });
  if (tenantBatch === undefined) return;
  await announceAlerts({ tenantBatch, isBaseline: false, repeats: [], now }, deps);
}

function failureOf(reason: LiteLlmFailure, hasZeroed: boolean): ResetFailure {
  switch (reason.kind) {
    case "not_found":
      return { kind: "subject_not_found" };
    case "refused":
      return { kind: "litellm_refused", status: reason.status, message: reason.message };
    case "unreachable":
      return { kind: "litellm_unreachable", hasZeroed };
  }
}
