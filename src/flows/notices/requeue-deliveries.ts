// Requeues deliveries whose message is lost or was never sent. Never sends a notice itself.

import type { Instant } from "../../budget/instant.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** Longer than the delay of a healthy queue. */
const OVERDUE_MS = 600_000;

/** Five requests to the queue. The next sweep takes the rest. */
const DELIVERIES_PER_RUN = 500;

/**
 * Claiming a delivery moves its next attempt to now, so that no other sweep claims it too. When the queue refuses, the
 * delivery is overdue again in ten minutes. A delivery whose message was only late is still sent once.
 */
export async function requeueDeliveries(
  { now }: { now: Instant },
  { deliveries, noticeQueue, log }: Pick<Ports, "deliveries" | "noticeQueue" | "log">,
): Promise<void> {
  const overdue = await deliveries.claimOverdue(now - OVERDUE_MS, DELIVERIES_PER_RUN, now);
  if (overdue.length === 0) return;
  log.warn("overdue deliveries requeued", { deliveries: overdue.length });
  await noticeQueue.sendAll(overdue.map(noticeMessage));
}
