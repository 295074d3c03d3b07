// How often the edge writes a tenant's spend to KV. docs/storage.md says when the other keys are written.

import type { Instant } from "../../budget/instant.ts";
import { limitAt } from "../../budget/limit.ts";
import type { SpendRecord } from "../../budget/spend.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";

/** Spend is written at once when it changes the state or by 1 % of the limit; otherwise at most this often. */
const SNAPSHOT_SECONDS = 15;
const SNAPSHOT_SHARE = 100n;

/** True when `after` should be written to KV. `before` is the spend in KV; null when KV has none. */
export function isWorthASnapshot(
  config: TenantConfig,
  before: SpendRecord | null,
  after: SpendRecord,
  now: Instant,
  { memory }: Pick<Ports, "memory">,
): boolean {
  // A write for a big step also starts the pause before the next small step.
  const seconds = isBigStep(config, before, after, now) ? 0 : SNAPSHOT_SECONDS;
  return memory.throttle(`snapshot:${config.tenantId}`, seconds, now);
}

/** True when the spend changed the state, the period or the epoch, or rose by at least 1 % of the limit. */
function isBigStep(config: TenantConfig, before: SpendRecord | null, after: SpendRecord, now: Instant): boolean {
  if (before === null || before.resetsAt !== after.resetsAt || before.epoch !== after.epoch) return true;
  if (stateAt(config, before.spendNanoUsd, now).state !== stateAt(config, after.spendNanoUsd, now).state) return true;
  const rise = after.spendNanoUsd - before.spendNanoUsd;
  return rise > 0n && rise * SNAPSHOT_SHARE >= limitAt(config, now).limitNanoUsd;
}
