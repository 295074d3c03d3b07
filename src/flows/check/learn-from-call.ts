// Learns a tenant's spend from a call through Gate: updates this isolate at once, and throttled, in the background, the
// spend queue.

import type { Instant } from "../../budget/instant.ts";
import { decimalFromNanoUsd, type NanoUsd } from "../../budget/money.ts";
import { foldReportedAtEdge } from "../../budget/reported-spend.ts";
import type { KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { type SpendMessage, scheduledReadMessage } from "../../ports/messages.ts";
import type { ModelAnswer, Ports } from "../../ports/ports.ts";
import type { RememberedTenant } from "../../records/edge.ts";
import { isBigStep } from "../edge/spend-cadence.ts";
import { FIRST_RECHECK_SECONDS } from "../spend/scheduled-read.ts";

export type LearnDeps = Pick<Ports, "memory" | "spendQueue" | "background" | "clock">;

export interface Forwarded {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
  readonly method: string;
  readonly begunAt: Instant;
}

/** A big step of spend is queued at once, other spend at most this often. */
const QUEUE_SECONDS = 5;

/**
 * LiteLLM's database has a call 15 s after its end, and the read comes after 20 s: it covers calls of the next 5 s too.
 */
const READ_EVERY_SECONDS = 5;

/** Learns nothing without a config in memory: KV and Postgres are then away, and the sweep reads the tenant later. */
export function learnFromCall(call: Forwarded, answer: ModelAnswer, deps: LearnDeps): void {
  const remembered = deps.memory.tenant(call.tenantId);
  if (remembered === null || remembered.config === null || call.method !== "POST") return;
  const { config, spend, checkedAt } = remembered;
  if (answer.kind === "unreachable") {
    // LiteLLM may have charged the call although its answer was lost.
    deps.background("scheduled read enqueue", queueRead(config, deps));
    return;
  }
  const { isBudgetRefusal, status, keySpendNanoUsd, ended } = answer;
  // LiteLLM refuses although Bursar allowed: LiteLLM may know of more spend, so the call is a hint.
  if (isBudgetRefusal) queueCall(config, call, null, QUEUE_SECONDS, deps);
  if (status >= 400) return;
  const isShown = keySpendNanoUsd !== null && config.subject.id === call.keyHash;
  if (isShown) learnSpend({ config, spend, checkedAt }, call, keySpendNanoUsd, deps);
  // The headers of a stream precede its cost, and no header holds a team's spend.
  if (isShown && ended === null) return;
  const callEnded = ended ?? Promise.resolve();
  deps.background(
    "scheduled read enqueue",
    callEnded.then(() => queueRead(config, deps)),
  );
}

function learnSpend(
  { config, spend: before, checkedAt }: RememberedTenant & { readonly config: TenantConfig },
  call: Forwarded,
  spendNanoUsd: NanoUsd,
  deps: LearnDeps,
): void {
  const observedAt = deps.clock();
  const observation = { spendNanoUsd, source: "gate", begunAt: call.begunAt, observedAt, resetsAt: undefined } as const;
  const after = foldReportedAtEdge(config, before, observation);
  if (after === before && after !== null) return;
  if (after !== null) deps.memory.rememberTenant(call.tenantId, { config, spend: after }, checkedAt);
  const isNews = after !== null && isBigStep(config, before, after, observedAt);
  queueCall(config, call, spendNanoUsd, isNews ? 0 : QUEUE_SECONDS, deps);
}

/** Null `spendNanoUsd` makes the message a hint. */
function queueCall(
  { tenantId, subject }: TenantConfig,
  { keyHash, begunAt }: Forwarded,
  spendNanoUsd: NanoUsd | null,
  everySeconds: number,
  { memory, spendQueue, background, clock }: LearnDeps,
): void {
  const at = clock();
  const throttleName = spendNanoUsd === null ? "gate-hint" : "gate-spend";
  if (!memory.throttle(`${throttleName}:${tenantId}`, everySeconds, at)) return;
  const message: SpendMessage = {
    kind: "calls",
    source: "gate",
    key_hash: keyHash,
    team_id: subject.kind === "team" ? subject.id : null,
    spend: spendNanoUsd === null ? null : decimalFromNanoUsd(spendNanoUsd),
    begun_at: begunAt,
    received_at: at,
    count: 1,
  };
  background("call enqueue", spendQueue.send(message));
}

async function queueRead(config: TenantConfig, deps: LearnDeps): Promise<void> {
  if (!deps.memory.throttle(`gate-read:${config.tenantId}`, READ_EVERY_SECONDS, deps.clock())) return;
  await deps.spendQueue.send(scheduledReadMessage(config, "recheck-20s"), FIRST_RECHECK_SECONDS);
}
