// What a call that went through Gate tells of its tenant's spend: to this isolate at once, to the spend queue behind the
// answer, and no more often than is worth it.

import { decimalFromNanoUsd, type NanoUsd } from "../budget/money.ts";
import { foldBoundAtEdge } from "../budget/observation.ts";
import type { Instant, KeyHash, TenantConfig, TenantId } from "../budget/tenant.ts";
import type { SpendMessage } from "../messages.ts";
import type { ModelAnswer, Ports } from "../ports.ts";
import type { CheckDeps } from "./check-budget.ts";
import { isBigStep } from "./spread-cadence.ts";

export type LearnDeps = CheckDeps & Pick<Ports, "modelCalls" | "clock">;

export interface Forwarded {
  readonly tenantId: TenantId;
  readonly keyHash: KeyHash;
  readonly method: string;
  readonly begunAt: Instant;
}

/** What a key has spent is told at once when it is news, else this often. */
const TELL_SECONDS = 5;

/** LiteLLM's database has a call 15 s after its end. */
const READ_AFTER_SECONDS = 20;
/** The remaining 5 s: a call that ends within them is in the read that is due already. */
const READ_EVERY_SECONDS = 5;

/** Without a config in memory nothing is learned: then KV and Postgres are away, and the sweep makes up for it. */
export function learnFromCall(call: Forwarded, answer: ModelAnswer, deps: LearnDeps): void {
  const config = deps.memory.tenant(call.tenantId)?.config ?? null;
  if (config === null || call.method !== "POST") return;
  if (answer.kind === "unreachable") {
    // It may have been charged all the same.
    deps.background("read after a call", readLater(config, deps));
    return;
  }
  const { budgetRefusal, status, keySpendNanoUsd, ended } = answer;
  // LiteLLM knows of more spend than Bursar does: a hint.
  if (budgetRefusal !== null) tell(config, call, null, TELL_SECONDS, deps);
  if (status >= 400) return;
  const isShown = keySpendNanoUsd !== null && config.subject.id === call.keyHash;
  if (isShown) learnSpend(config, call, keySpendNanoUsd, deps);
  // The headers of a stream are older than its cost, and a team's spend is in none.
  if (isShown && ended === null) return;
  const over = ended ?? Promise.resolve();
  deps.background(
    "read after a call",
    over.then(() => readLater(config, deps)),
  );
}

function learnSpend(config: TenantConfig, call: Forwarded, spendNanoUsd: NanoUsd, deps: LearnDeps): void {
  const { memory } = deps;
  const remembered = memory.tenant(call.tenantId);
  const before = remembered?.spend ?? null;
  const observedAt = deps.clock();
  const bound = { spendNanoUsd, source: "gate", begunAt: call.begunAt, observedAt, resetsAt: undefined } as const;
  const after = foldBoundAtEdge(config, before, bound);
  if (after === before && after !== null) return;
  if (after !== null) memory.rememberTenant(call.tenantId, { config, spend: after }, remembered?.checkedAt ?? 0);
  const isNews = after !== null && isBigStep(config, before, after, observedAt);
  tell(config, call, spendNanoUsd, isNews ? 0 : TELL_SECONDS, deps);
}

/** Without a figure it is a hint. */
function tell(
  { tenantId, subject }: TenantConfig,
  { keyHash, begunAt }: Forwarded,
  spendNanoUsd: NanoUsd | null,
  everySeconds: number,
  { memory, spendQueue, background, clock }: LearnDeps,
): void {
  const at = clock();
  const turn = spendNanoUsd === null ? "gate-hint" : "gate-spend";
  if (!memory.takeTurn(`${turn}:${tenantId}`, everySeconds, at)) return;
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

async function readLater({ tenantId, subject }: TenantConfig, deps: LearnDeps): Promise<void> {
  if (!deps.memory.takeTurn(`gate-read:${tenantId}`, READ_EVERY_SECONDS, deps.clock())) return;
  const message = { kind: "read_due", tenant_id: tenantId, subject_id: subject.id, lane: "hint-1" } as const;
  await deps.spendQueue.send(message, READ_AFTER_SECONDS);
}
