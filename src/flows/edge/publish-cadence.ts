// How often a figure is written to KV.

import { limitAt } from "../../budget/limit.ts";
import type { SpendRecord } from "../../budget/spend.ts";
import type { Instant, TenantConfig } from "../../budget/tenant.ts";
import { stateAt } from "../../budget/verdict.ts";
import type { Ports } from "../../ports/ports.ts";

/** A figure goes to KV at once when it changes the state; otherwise after 1 % of the limit, or this often. */
const SNAPSHOT_SECONDS = 15;
const SNAPSHOT_SHARE = 100n;

/** `before` is what KV has; null when it has nothing. */
export function isWorthASnapshot(
  config: TenantConfig,
  before: SpendRecord | null,
  after: SpendRecord,
  now: Instant,
  { memory }: Pick<Ports, "memory">,
): boolean {
  // Whatever is written is written now: the next small step waits from here on.
  const seconds = isBigStep(config, before, after, now) ? 0 : SNAPSHOT_SECONDS;
  return memory.throttle(`snapshot:${config.tenantId}`, seconds, now);
}

/** True when a figure is news: another state, another period, or a step of 1 % of the limit. */
export function isBigStep(config: TenantConfig, before: SpendRecord | null, after: SpendRecord, now: Instant): boolean {
  if (before === null || before.resetsAt !== after.resetsAt) return true;
  if (stateAt(config, before.spendNanoUsd, now).state !== stateAt(config, after.spendNanoUsd, now).state) return true;
  const rise = after.spendNanoUsd - before.spendNanoUsd;
  return rise !== 0n && (rise < 0n ? -rise : rise) * SNAPSHOT_SHARE >= limitAt(config, now).limitNanoUsd;
}
