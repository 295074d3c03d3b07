// Deletes what has been kept long enough, a bounded number of rows in each sweep. Counted calls have a job of their own
// (counting/forget-calls.ts), because a thousand of them end each second.

import type { Instant } from "../../budget/instant.ts";
import { KEEP_DELETED_MS } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Age, Purged } from "../../ports/retention.ts";

const DAY_MS = 86_400_000;

/** More than a year, so that a year's budget can be compared with the one before. */
const HISTORY = { keepMs: 400 * DAY_MS, atOnce: 1_000 };

const DELIVERY = { keepMs: 90 * DAY_MS, atOnce: 1_000 };

/** `atOnce`: a statement of a thousand rows takes some ten milliseconds, and holds its locks as long. */
const RETENTION: Readonly<Record<Purged, { readonly keepMs: number; readonly atOnce: number }>> = {
  audit_lines: HISTORY,
  alerts: HISTORY,
  platform_alerts: HISTORY,
  deliveries: DELIVERY,
  dead_letters: DELIVERY,
  // Longer than the queue delivers a message again: 40 minutes. LiteLLM may send a thousand webhooks a second.
  counted_webhooks: { keepMs: 2 * 3_600_000, atOnce: 20_000 },
  // With each tenant its history goes: some thousands of rows.
  deleted_tenants: { keepMs: KEEP_DELETED_MS, atOnce: 10 },
};

/** 7 million rows a day of a history: more than a busy deployment writes. */
const BATCHES = 5;

/** How many days beyond its age an alert may still be found, in turns of one day a sweep. */
const OLDER_DAYS = 4_000;

export async function purgeOldRows({ now }: { now: Instant }, deps: Pick<Ports, "retention" | "log">): Promise<void> {
  const purged: Partial<Record<Purged, number>> = {};
  for (const what of Object.keys(RETENTION) as Purged[]) {
    const count = await purgeKind(what, now, deps);
    if (count > 0) purged[what] = count;
  }
  if (Object.keys(purged).length > 0) deps.log.info("old rows purged", purged);
}

/** Returns the number of rows. One kind that fails keeps no other from its turn. */
async function purgeKind(what: Purged, now: Instant, deps: Pick<Ports, "retention" | "log">): Promise<number> {
  let count = 0;
  try {
    for (const age of agesOf(what, now)) count += await purgeAge(what, age, deps);
  } catch (cause) {
    deps.log.error("purge failed", cause, { rows: what });
  }
  return count;
}

async function purgeAge(what: Purged, age: Age, { retention }: Pick<Ports, "retention">): Promise<number> {
  const { atOnce } = RETENTION[what];
  let count = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const purged = await retention.purge(what, age, atOnce);
    count += purged;
    if (purged < atOnce) break;
  }
  return count;
}

/**
 * Alerts of a period that never ends stay, however old. A search from the oldest alert on would read them all in every
 * sweep; so each sweep looks at the alerts of the day that has just become old enough, and at those of one older day.
 */
function agesOf(what: Purged, now: Instant): Age[] {
  const before = now - RETENTION[what].keepMs;
  if (what !== "alerts") return [{ from: null, before }];
  const older = before - DAY_MS * (1 + (Math.floor(now / 60_000) % OLDER_DAYS));
  return [
    { from: before - DAY_MS, before },
    { from: older - DAY_MS, before: older },
  ];
}
