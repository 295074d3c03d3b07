// An administrator begins a new period now: LiteLLM zeroes the spend first, because a reset that it has not made would be
// undone by the next read; then Postgres, the edge, and people. What LiteLLM counts from then on is the truth.

import { isUnconfirmed } from "../../budget/observation.ts";
import { foldRead, type SpendRecord } from "../../budget/spend.ts";
import { type Instant, periodStartedAt, type TenantConfig, type TenantId } from "../../budget/tenant.ts";
import { scheduledReadMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { Actor, AuditedChange, TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceDeps, announceAlerts } from "../alerts/announce-alerts.ts";
import { announcePeriod } from "../alerts/announce-period.ts";
import { type PublishDeps, publishPeriod } from "../edge/publish-config.ts";
import { FIRST_LOOK_SECONDS } from "../spend/scheduled-read.ts";

export type ResetDeps = PublishDeps & AnnounceDeps & Pick<Ports, "tenants" | "litellm" | "background">;

export type ResetFailure =
  | { readonly kind: "not_found" }
  /** LiteLLM has no way to zero a team's spend. */
  | { readonly kind: "is_team" }
  /** LiteLLM does not know the key. */
  | { readonly kind: "subject_not_found" }
  | { readonly kind: "litellm_refused"; readonly status: number; readonly message: string }
  /** False: LiteLLM did not say whether it has, and its figure does not show it. Asking again does no harm. */
  | { readonly kind: "litellm_unreachable"; readonly hasZeroed: boolean }
  /** LiteLLM has zeroed the spend, and Postgres did not take the period. Asking again makes up for it. */
  | { readonly kind: "not_recorded" };

export interface ResetInput {
  readonly tenantId: TenantId;
  readonly actor: Actor;
}

/** An administrator waits for the answer. */
const TRIES = 3;

/** Late enough for a lower read to count although a read by a clock ahead came in between. */
const LAST_LOOK_SECONDS = 65;

/**
 * The tenant in its new period, or in the one that somebody else has begun meanwhile. Goes on when whoever asked leaves,
 * for LiteLLM may have zeroed the spend by then. @throws when Postgres cannot be reached: nothing was changed.
 */
export async function resetTenant(input: ResetInput, deps: ResetDeps): Promise<Result<TenantRecord, ResetFailure>> {
  const reset = zeroAndBegin(input, deps);
  deps.background("reset a tenant", reset);
  return reset;
}

async function zeroAndBegin(
  { tenantId, actor }: ResetInput,
  deps: ResetDeps,
): Promise<Result<TenantRecord, ResetFailure>> {
  const before = await deps.tenants.load(tenantId);
  if (before === null) return failure({ kind: "not_found" });
  const { subject } = before.config;
  if (subject.kind === "team") return failure({ kind: "is_team" });
  const zeroed = await deps.litellm.resetSpend(subject.id);
  if (!zeroed.ok && zeroed.failure.kind !== "unreachable") return failure(failureOf(zeroed.failure, false));
  const read = await deps.litellm.readSubject(subject, { tries: TRIES });
  if (!read.ok) return failure(failureOf(read.failure, zeroed.ok));
  if (!zeroed.ok && !showsZeroed(before.spend, read.value)) return failure(failureOf(zeroed.failure, false));
  return beginPeriod(before, read.value, actor, deps);
}

/** LiteLLM's answer was lost. Its own figure falls only when it is zeroed; one that it never had proves nothing. */
function showsZeroed(known: SpendRecord | null, { spendNanoUsd }: LiteLlmRow): boolean {
  return spendNanoUsd === 0n || (known !== null && !isUnconfirmed(known) && spendNanoUsd < known.spendNanoUsd);
}

async function beginPeriod(
  before: TenantRecord,
  litellmRow: LiteLlmRow,
  actor: Actor,
  deps: ResetDeps,
): Promise<Result<TenantRecord, ResetFailure>> {
  const { tenantId, subject } = before.config;
  const since = periodStartedAt(before.config);
  // Begun after LiteLLM's answer: whatever was read before it may still show the old spend, and is of the old period.
  const startedAt = Math.max(litellmRow.begunAt, since + 1);
  const record = foldRead(null, litellmRow, { startedAt, resetsAt: null });
  let reset: AuditedChange | null;
  try {
    reset = await deps.tenants.resetPeriod({ tenantId, subject, record }, since, actor);
  } catch (cause) {
    deps.log.error("a reset is only in LiteLLM: it must be asked for again", cause, { tenant_id: tenantId });
    return failure({ kind: "not_recorded" });
  }
  if (reset === null) return failure({ kind: "not_found" });
  await publishPeriod(reset.tenant, actor.now, deps);
  await followUp(reset, actor.now, deps);
  return success(reset.tenant);
}

/** The reset is made, whatever becomes of the notices: what is left undone the sweep does. Nothing waits for the queue. */
async function followUp({ tenant, auditId }: AuditedChange, now: Instant, deps: ResetDeps): Promise<void> {
  const { config } = tenant;
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (cause) {
      deps.log.error(`after a reset, not done: ${what}`, cause, { tenant_id: config.tenantId });
    }
  };
  if (auditId !== null) {
    await attempt("announce the period, which the sweep will", () => announcePeriod(tenant, now, deps));
    await attempt("tell that a block is over, which the next read will", () => announceStanding(config, now, deps));
  }
  // By then LiteLLM has written what was on its way to its database when the spend was zeroed.
  await attempt("look again, which the sweep will within the hour", () =>
    deps.spendQueue.send(scheduledReadMessage(config, "recheck-20s"), FIRST_LOOK_SECONDS),
  );
  await attempt("look once more, which the sweep will within the hour", () =>
    deps.spendQueue.send(scheduledReadMessage(config, "confirm"), LAST_LOOK_SECONDS),
  );
}

/** A block may be over with the old spend. */
async function announceStanding({ tenantId }: TenantConfig, now: Instant, deps: ResetDeps): Promise<void> {
  const [tenantBatch] = await deps.spendBatches.open([{ kind: "tenant", id: tenantId }], { withPending: false });
  if (tenantBatch === undefined) return;
  await announceAlerts({ tenantBatch, isBaseline: false, repeats: [], projections: [], now }, deps);
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
