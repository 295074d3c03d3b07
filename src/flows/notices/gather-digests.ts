// Sums up the resets of each hour for the channels of the platform that ask for them. Sends no notice itself.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";
import { sendNotices } from "../alerts/announce-alerts.ts";

/** When the queue refuses, the sweep requeues the digests as overdue deliveries. */
export async function gatherDigests(
  { now }: { now: Instant },
  { deliveries, noticeQueue, log }: Pick<Ports, "deliveries" | "noticeQueue" | "log">,
): Promise<void> {
  const digests = await deliveries.gatherDigests(now);
  if (digests.length === 0) return;
  log.info("digests gathered", { digests: digests.length });
  await sendNotices(digests, { noticeQueue });
}
