// Infers a verdict from LiteLLM alone, when KV and Postgres cannot be read: LiteLLM's row holds the tenant id and the
// block threshold that Bursar last sent. The budget is inferred, so the verdict is always degraded.

import type { Instant } from "../../budget/instant.ts";
import { shareOf, WHOLE } from "../../budget/money.ts";
import { firstPeriodOf, recordFrom } from "../../budget/spend.ts";
import {
  ALERT_THRESHOLD_RANGE,
  DEFAULT_BUDGET,
  type KeyHash,
  type TenantConfig,
  type TenantId,
} from "../../budget/tenant.ts";
import { type Verdict, verdictOn } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import { OWNERSHIP_MARKER } from "../litellm/desired-state.ts";

/** `no_answer`: LiteLLM did not answer, or its key carries no tenant id. */
export type InferredVerdict = Verdict | "unknown_key" | "no_answer";

/** `teamId` is the key's team when LiteLLM has sent it with the question; undefined otherwise. */
export async function inferVerdictFromLiteLlm(
  { keyHash, teamId, now }: { keyHash: KeyHash | null; teamId?: string | null | undefined; now: Instant },
  { litellm }: Pick<Ports, "litellm">,
): Promise<InferredVerdict> {
  const key = keyHash === null ? null : await litellm.readSubject({ kind: "key", id: keyHash }, { tries: 1 });
  if (key !== null && !key.ok && key.failure.kind !== "not_found") return "no_answer";
  if (key?.ok === true && tenantIdIn(key.value) !== null) return verdictFrom(key.value, now);
  const id = teamId ?? (key?.ok === true ? key.value.teamId : null);
  if (id === null) return key?.ok === true ? "no_answer" : "unknown_key";
  const team = await litellm.readSubject({ kind: "team", id }, { tries: 1 });
  return team.ok ? verdictFrom(team.value, now) : "no_answer";
}

function verdictFrom(litellmRow: LiteLlmRow, now: Instant): InferredVerdict {
  const config = inferredConfig(litellmRow);
  if (config === null) return "no_answer";
  const periodStartedAt = firstPeriodOf(litellmRow, { startedAt: config.subjectCreatedAt, resetsAt: null });
  const record = recordFrom(litellmRow, periodStartedAt);
  return { ...verdictOn(config, record, now, "litellm"), degraded: true };
}

/**
 * LiteLLM's max_budget is the block threshold. Divided by the default grace it gives a limit that blocks at the same
 * spend.
 */
function inferredConfig(litellmRow: LiteLlmRow): TenantConfig | null {
  const tenantId = tenantIdIn(litellmRow);
  if (tenantId === null) return null;
  const isSuspended = litellmRow.metadata[OWNERSHIP_MARKER] === tenantId;
  // Without max_budget the budget is unknown, but a suspension or a block still counts.
  if (litellmRow.maxBudgetNanoUsd === null && !isSuspended && !litellmRow.blocked) return null;
  const { graceThreshold, enforcement } = DEFAULT_BUDGET;
  const maxBudgetNanoUsd = ((litellmRow.maxBudgetNanoUsd ?? 0n) * WHOLE) / graceThreshold;
  return {
    tenantId,
    name: null,
    subject: litellmRow.subject,
    maxBudgetNanoUsd,
    alertThreshold: inferredAlertThreshold(litellmRow, maxBudgetNanoUsd),
    graceThreshold,
    budgetDuration: litellmRow.budgetDuration,
    budgetResetAt: litellmRow.resetsAt,
    litellmKeyLastReset: null,
    subjectCreatedAt: litellmRow.createdAt ?? litellmRow.begunAt,
    configVersion: 0,
    revision: 0,
    enforcement,
    failPolicy: null,
    suspendedAt: isSuspended ? litellmRow.begunAt : null,
    subjectMissingAt: null,
    litellmBlockedAt: litellmRow.blocked && !isSuspended ? litellmRow.begunAt : null,
    overrides: [],
    endedOverrides: 0,
    createdAt: null,
    otherKeys: [],
    carriedNanoUsd: 0n,
    refusal: null,
  };
}

function inferredAlertThreshold({ softBudgetNanoUsd }: LiteLlmRow, maxBudgetNanoUsd: bigint): bigint {
  const share = softBudgetNanoUsd === null ? null : shareOf(softBudgetNanoUsd, maxBudgetNanoUsd);
  const { min, max } = ALERT_THRESHOLD_RANGE;
  return share !== null && share >= min && share <= max ? share : DEFAULT_BUDGET.alertThreshold;
}

function tenantIdIn({ metadata }: LiteLlmRow): TenantId | null {
  const id = metadata["tenant_id"];
  return typeof id === "string" && id !== "" ? (id as TenantId) : null;
}
