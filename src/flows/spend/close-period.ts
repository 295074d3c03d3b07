// Has LiteLLM looked at for each tenant whose period should be over, until its reset shows. The reads are the queue's,
// which advances the period and tells people; a queue that refuses is asked again by the next sweep.

import type { Instant } from "../../budget/tenant.ts";
import { scheduledReadMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { TenantSubject } from "../../records/tenant-record.ts";

/**
 * On the first of a month nearly all periods end at once. A thousand in a minute are 17 reads a second, which LiteLLM's
 * database does not feel; tenants that are in use are read by their own checks, and wait for none of this.
 */
const TENANTS_PER_RUN = 1_000;

/** The reads of one run, spread over most of its minute: so many, then a pause. */
const TENANTS_AT_ONCE = 100;
const PAUSE_SECONDS = 5;

export async function closePeriod(
  { now }: { now: Instant },
  { tenants, spendQueue }: Pick<Ports, "tenants" | "spendQueue">,
): Promise<void> {
  const ended = await tenants.claimEndedPeriods(TENANTS_PER_RUN, now);
  for (let from = 0; from < ended.length; from += TENANTS_AT_ONCE) {
    const delaySeconds = (from / TENANTS_AT_ONCE) * PAUSE_SECONDS;
    await spendQueue.sendAll(ended.slice(from, from + TENANTS_AT_ONCE).map(lookAt), () => delaySeconds);
  }
}

function lookAt({ tenantId, subjectId }: TenantSubject) {
  return scheduledReadMessage({ tenantId, subject: { id: subjectId } }, "period-end");
}
