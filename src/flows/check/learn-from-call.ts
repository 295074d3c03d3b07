// Learns a tenant's spend from a call through Gate: this isolate adds its cost at once. Postgres counts the call when
// LiteLLM reports it, or sees it in a later read.

import { addCall } from "../../budget/spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { callsMessage, scheduledReadMessage } from "../../ports/messages.ts";
import type { ModelAnswer, Ports } from "../../ports/ports.ts";

export type LearnDeps = Pick<Ports, "memory" | "spendQueue" | "background" | "clock">;

export interface Forwarded {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
}

/** Refused calls are worth a read, at most this often. */
const HINT_SECONDS = 5;

/** LiteLLM's database has a call 25 s after its end, and the read comes after 30 s: it covers calls of the next 5 s. */
const READ_AFTER_SECONDS = 30;
const READ_EVERY_SECONDS = 5;

/**
 * From a call that runs a model. Learns nothing without a config in memory: KV and Postgres are then away, and the
 * sweep reads the tenant later.
 */
export function learnFromCall(call: Forwarded, answer: ModelAnswer, deps: LearnDeps): void {
  const remembered = deps.memory.tenant(call.tenantId);
  if (remembered === null || remembered.config === null) return;
  const { config, spend, checkedAt } = remembered;
  if (answer.kind === "unreachable") {
    // LiteLLM may have charged the call although its answer was lost.
    if (answer.mayHaveArrived) deps.background("scheduled read enqueue", queueRead(config, deps));
    return;
  }
  const { isBudgetRefusal, status, costNanoUsd, ended } = answer;
  // LiteLLM refuses although Bursar allowed: LiteLLM may know of more spend, so the call is a hint.
  if (isBudgetRefusal) queueHint(config, call, deps);
  if (status >= 400) return;
  if (costNanoUsd !== null && spend !== null) {
    deps.memory.rememberTenant(call.tenantId, { config, spend: addCall(spend, costNanoUsd, deps.clock()) }, checkedAt);
  }
  // The headers of a stream precede its cost. Without LiteLLM's callback no other isolate hears of any call.
  const callEnded = ended ?? Promise.resolve();
  deps.background(
    "scheduled read enqueue",
    callEnded.then(() => queueRead(config, deps)),
  );
}

function queueHint(
  { tenantId, subject }: TenantConfig,
  { keyHash }: Forwarded,
  { memory, spendQueue, background, clock }: LearnDeps,
): void {
  const at = clock();
  if (!memory.throttle(`gate-hint:${tenantId}`, HINT_SECONDS, at)) return;
  const caller = { key_hash: keyHash, team_id: subject.kind === "team" ? subject.id : null };
  background("hint enqueue", spendQueue.send(callsMessage({ calls: [], hints: [caller] }, at)));
}

async function queueRead(config: TenantConfig, deps: LearnDeps): Promise<void> {
  if (!deps.memory.throttle(`gate-read:${config.tenantId}`, READ_EVERY_SECONDS, deps.clock())) return;
  await deps.spendQueue.send(scheduledReadMessage(config, "recheck-20s"), READ_AFTER_SECONDS);
}
