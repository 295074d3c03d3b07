// What a call that went through Gate tells of its tenant's spend: to this isolate at once, to the spend queue behind the
// answer, and no more often than is worth it.

import { decimalFromNanoUsd, type NanoUsd } from "../../budget/money.ts";
import { foldReportedAtEdge } from "../../budget/observation.ts";
import type { Instant, KeyHash, TenantConfig, TenantId } from "../../budget/tenant.ts";
import { type SpendMessage, scheduledReadMessage } from "../../ports/messages.ts";
import type { ModelAnswer, Ports } from "../../ports/ports.ts";
import type { RememberedTenant } from "../../records/edge-record.ts";
import { isBigStep } from "../edge/publish-cadence.ts";
import { FIRST_LOOK_SECONDS } from "../spend/scheduled-read.ts";

export type LearnDeps = Pick<Ports, "memory" | "spendQueue" | "background" | "clock">;

export interface Forwarded {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
  readonly method: string;
  readonly begunAt: Instant;
}

/** What a key has spent is told at once when it is news, else this often. */
const QUEUE_SECONDS = 5;

/** LiteLLM's database has a call 15 s after its end: one that ends within the remaining 5 s is in the read due already. */
const READ_EVERY_SECONDS = 5;

/** Without a config in memory nothing is learned: then KV and Postgres are away, and the sweep makes up for it. */
export function learnFromCall(call: Forwarded, answer: ModelAnswer, deps: LearnDeps): void {
  const remembered = deps.memory.tenant(call.tenantId);
  if (remembered === null || remembered.config === null || call.method !== "POST") return;
  const { config, spend, checkedAt } = remembered;
  if (answer.kind === "unreachable") {
    // It may have been charged all the same.
    deps.background("read after a call", queueRead(config, deps));
    return;
  }
  const { budgetRefusal, status, keySpendNanoUsd, ended } = answer;
  // LiteLLM knows of more spend than Bursar does: a hint.
  if (budgetRefusal !== null) queueCall(config, call, null, QUEUE_SECONDS, deps);
  if (status >= 400) return;
  const isShown = keySpendNanoUsd !== null && config.subject.id === call.keyHash;
  if (isShown) learnSpend({ config, spend, checkedAt }, call, keySpendNanoUsd, deps);
  // The headers of a stream are older than its cost, and a team's spend is in none.
  if (isShown && ended === null) return;
  const over = ended ?? Promise.resolve();
  deps.background(
    "read after a call",
    over.then(() => queueRead(config, deps)),
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

/** Without a figure it is a hint. */
function queueCall(
  { tenantId, subject }: TenantConfig,
  { keyHash, begunAt }: Forwarded,
  spendNanoUsd: NanoUsd | null,
  everySeconds: number,
  { memory, spendQueue, background, clock }: LearnDeps,
): void {
  const at = clock();
  const turn = spendNanoUsd === null ? "gate-hint" : "gate-spend";
  if (!memory.throttle(`${turn}:${tenantId}`, everySeconds, at)) return;
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
  background("tell what a call has shown", spendQueue.send(message));
}

async function queueRead(config: TenantConfig, deps: LearnDeps): Promise<void> {
  if (!deps.memory.throttle(`gate-read:${config.tenantId}`, READ_EVERY_SECONDS, deps.clock())) return;
  await deps.spendQueue.send(scheduledReadMessage(config, "recheck-20s"), FIRST_LOOK_SECONDS);
}
