// The sweep: runs every job once a minute. Each job is a flow of its own, bounded, and harmless when two sweeps
// overlap.

import type { Instant } from "../budget/instant.ts";
import { alertPlatform } from "../flows/alerts/alert-platform.ts";
import { announceChanges } from "../flows/alerts/announce-changes.ts";
import { forgetCalls } from "../flows/counting/forget-calls.ts";
import { endKeys } from "../flows/keys/end-keys.ts";
import { noteOutage } from "../flows/litellm/outage.ts";
import { syncPending } from "../flows/litellm/sync-pending.ts";
import { gatherDigests } from "../flows/notices/gather-digests.ts";
import { requeueDeliveries } from "../flows/notices/requeue-deliveries.ts";
import { endOverrides } from "../flows/overrides/end-overrides.ts";
import { purgeOldRows } from "../flows/retention/purge-old-rows.ts";
import { leaseReads } from "../flows/spend/lease-reads.ts";
import { schedulePeriodReads } from "../flows/spend/schedule-period-reads.ts";
import type { Ports } from "../ports/ports.ts";

const JOBS = {
  "note-outage": noteOutage,
  "end-overrides": endOverrides,
  "end-keys": endKeys,
  "sync-pending": syncPending,
  "announce-changes": announceChanges,
  "requeue-deliveries": requeueDeliveries,
  "gather-digests": gatherDigests,
  "schedule-period-reads": schedulePeriodReads,
  "lease-reads": leaseReads,
  "forget-calls": forgetCalls,
  "purge-old-rows": purgeOldRows,
  "alert-platform": alertPlatform,
} as const;

/** Runs all jobs at the same time. Never throws: one failed job neither stops nor repeats another. */
export async function sweep(input: { now: Instant }, ports: Ports): Promise<void> {
  const runs = Object.entries(JOBS).map(async ([job, run]) => {
    try {
      await run(input, ports);
    } catch (cause) {
      ports.log.error("sweep job failed", cause, { job });
    }
  });
  await Promise.all(runs);
}
