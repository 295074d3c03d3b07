// Releases a deleted tenant's subject in LiteLLM: deletes Bursar's own keys, and restores what was adopted.

import type { Subject } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmFields, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { inSteps, toRestore } from "./desired-state.ts";

type Deps = Pick<Ports, "litellm" | "log">;

/** An administrator waits for the answer, so fewer tries than in the background of a check. */
const TRIES = 2;

/**
 * Deletes Bursar's own keys, or restores an adopted subject. A subject that LiteLLM no longer has counts as released.
 */
export async function release(tenant: TenantRecord, deps: Deps): Promise<"released" | Result<never, LiteLlmFailure>> {
  const { subject, otherKeys } = tenant.config;
  if (tenant.adopted || subject.kind === "team") return outcomeOf(await restore(tenant, deps));
  for (const keyHash of [...otherKeys.map(({ hash }) => hash), subject.id]) {
    const outcome = outcomeOf(await deps.litellm.deleteKey(keyHash));
    if (outcome !== "released") return outcome;
  }
  return "released";
}

function outcomeOf(undone: Result<void, LiteLlmFailure>): "released" | Result<never, LiteLlmFailure> {
  return undone.ok || undone.failure.kind === "not_found" ? "released" : failure(undone.failure);
}

async function restore(tenant: TenantRecord, deps: Deps): Promise<Result<void, LiteLlmFailure>> {
  const litellmRow = await deps.litellm.readSubject(tenant.config.subject, { tries: TRIES });
  if (!litellmRow.ok) return litellmRow;
  const fields = toRestore(tenant, litellmRow.value);
  const sent = await sendFields(tenant.config.subject, fields, deps);
  if (!sent.ok || fields.budgetDuration === undefined) return sent;
  const after = await deps.litellm.readSubject(tenant.config.subject, { tries: TRIES });
  if (after.ok) noteKeptDuration(tenant, after.value, deps);
  return success(undefined);
}

/** Sends the fields in the steps that LiteLLM accepts. */
export async function sendFields(
  subject: Subject,
  fields: Partial<LiteLlmFields>,
  deps: Pick<Ports, "litellm">,
): Promise<Result<void, LiteLlmFailure>> {
  for (const step of inSteps(fields)) {
    const sent = await deps.litellm.updateSubject(subject, step);
    if (!sent.ok) return sent;
  }
  return success(undefined);
}

/** Logs a duration that LiteLLM cannot drop. The duration blocks no call, so it stays. */
export function noteKeptDuration(
  { config, priorValues }: TenantRecord,
  { own }: LiteLlmRow,
  { log }: Pick<Ports, "log">,
): void {
  if (own.budgetDuration === (priorValues?.budgetDuration ?? null)) return;
  log.warn("litellm kept budget_duration", { tenant_id: config.tenantId, budget_duration: own.budgetDuration });
}
