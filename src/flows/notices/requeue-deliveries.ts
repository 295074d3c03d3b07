// Puts deliveries on their queue again whose message is lost, or was never sent. Never sends a notice itself.

import type { Instant } from "../../budget/instant.ts";
import { noticeMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";

/** A message that is merely late is there by then. */
const OVERDUE_MS = 600_000;

/** Five requests to the queue. What is left is the next minute's. */
const DELIVERIES_PER_RUN = 500;

/**
 * Taking them moves their next attempt to now, so that no other sweep takes them too. A queue that refuses therefore
 * loses nothing: they are overdue again in ten minutes. One that has its message after all is sent once.
 */
export async function requeueDeliveries(
  { now }: { now: Instant },
  { deliveries, noticeQueue, log }: Pick<Ports, "deliveries" | "noticeQueue" | "log">,
): Promise<void> {
  const overdue = await deliveries.claimOverdue(now - OVERDUE_MS, DELIVERIES_PER_RUN, now);
  if (overdue.length === 0) return;
  log.warn("overdue notices go on their queue again", { deliveries: overdue.length });
  await noticeQueue.sendAll(overdue.map(noticeMessage));
}
