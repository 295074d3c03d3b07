// An administrator begins a new period now: LiteLLM zeroes the spend first, because a reset that it has not made would be
// undone by the next read; then Postgres, the edge, and people. What LiteLLM counts from then on is the truth.

import { foldRead } from "../budget/spend.ts";
import { type Instant, periodStartedAt, type TenantId } from "../budget/tenant.ts";
import { readDueMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";
import type { LiteLlmFailure } from "../records/subject-reading.ts";
import type { Actor, TenantRecord } from "../records/tenant-record.ts";
import { failure, type Result, success } from "../result.ts";
import { type AnnounceDeps, announceAlerts } from "./announce-alerts.ts";
import { announcePeriod } from "./announce-period.ts";
import { type PublishDeps, publishPeriod } from "./publish-config.ts";
import { FIRST_LOOK_SECONDS } from "./read-due.ts";

export type ResetDeps = PublishDeps & AnnounceDeps & Pick<Ports, "tenants" | "litellm">;

export type ResetFailure =
  | { readonly kind: "not_found" }
  /** LiteLLM has no way to zero a team's spend. */
  | { readonly kind: "is_team" }
  /** LiteLLM does not know the key. */
  | { readonly kind: "subject_not_found" }
  | { readonly kind: "litellm_refused"; readonly status: number; readonly message: string }
  /** `hasZeroed`: LiteLLM went away afterwards. Asking again does no harm. */
  | { readonly kind: "litellm_unreachable"; readonly hasZeroed: boolean };

/** An administrator waits for the answer. */
const TRIES = 3;

/** The tenant in its new period. @throws when Postgres cannot be reached. */
export async function resetTenant(
  { tenantId, actor }: { tenantId: TenantId; actor: Actor },
  deps: ResetDeps,
): Promise<Result<TenantRecord, ResetFailure>> {
  const before = await deps.tenants.load(tenantId);
  if (before === null) return failure({ kind: "not_found" });
  const { subject } = before.config;
  if (subject.kind === "team") return failure({ kind: "is_team" });
  const zeroed = await deps.litellm.resetSpend(subject.id);
  if (!zeroed.ok) return failure(failureOf(zeroed.failure, false));
  const read = await deps.litellm.readSubject(subject, { tries: TRIES });
  if (!read.ok) return failure(failureOf(read.failure, true));
  const since = periodStartedAt(before.config);
  // Begun after LiteLLM's answer: whatever was read before it may still show the old spend, and is of the old period.
  const startedAt = Math.max(read.value.begunAt, since + 1);
  const record = foldRead(null, read.value, { startedAt, resetsAt: null });
  const reset = await deps.tenants.resetPeriod({ tenantId, subject, record }, since, actor);
  if (reset === null) return failure({ kind: "not_found" });
  await publishPeriod(reset.tenant, actor.now, deps);
  if (reset.auditId !== null) await followUp(reset.tenant, actor.now, deps);
  return success(reset.tenant);
}

/** The reset is made, whatever becomes of the notices: what is left undone the queue and the sweep do. */
async function followUp(tenant: TenantRecord, now: Instant, deps: ResetDeps): Promise<void> {
  const { tenantId } = tenant.config;
  try {
    // By then LiteLLM has written what was on its way to its database when the spend was zeroed.
    await deps.spendQueue.send(readDueMessage(tenant.config, "hint-1"), FIRST_LOOK_SECONDS);
    await announcePeriod(tenant, now, deps);
    // A block that is over with the old spend.
    const [account] = await deps.ledger.open([{ kind: "tenant", id: tenantId }], { withPending: false });
    if (account !== undefined) {
      await announceAlerts({ account, isBaseline: false, repeats: [], projections: [], now }, deps);
    }
  } catch (cause) {
    deps.log.error("a reset was not announced: the sweep will", cause, { tenant_id: tenantId });
  }
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
