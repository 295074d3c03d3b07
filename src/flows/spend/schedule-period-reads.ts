// Schedules a read of every tenant whose period should have ended, until LiteLLM shows its reset. The consumer of the
// queue reads, advances the period and announces it. When the queue refuses, the next sweep tries again.

import type { Instant } from "../../budget/instant.ts";
import { scheduledReadMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantSubject } from "../../records/tenant.ts";

/**
 * On the first of a month nearly all periods end at once. A thousand per minute are 17 reads per second, a load that
 * LiteLLM's database does not notice. The checks of a tenant in use read it earlier.
 */
const TENANTS_PER_RUN = 1_000;

/** Spreads the reads of one run over most of its minute: one group, then a pause. */
const TENANTS_AT_ONCE = 100;
const PAUSE_SECONDS = 5;

export async function schedulePeriodReads(
  { now }: { now: Instant },
  { tenants, spendQueue }: Pick<Ports, "tenants" | "spendQueue">,
): Promise<void> {
  const ended = await tenants.claimEndedPeriods(TENANTS_PER_RUN, now);
  for (let from = 0; from < ended.length; from += TENANTS_AT_ONCE) {
    const delaySeconds = (from / TENANTS_AT_ONCE) * PAUSE_SECONDS;
    await spendQueue.sendAll(ended.slice(from, from + TENANTS_AT_ONCE).map(readMessageOf), () => delaySeconds);
  }
}

function readMessageOf({ tenantId, subjectId }: TenantSubject) {
  return scheduledReadMessage({ tenantId, subject: { id: subjectId } }, "period-end");
}
