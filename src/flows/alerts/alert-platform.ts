// Alerts the platform's channels when Bursar or LiteLLM as a whole has a problem: once when it begins, once a day while
// it lasts. Idempotent: repeating it sends no second notice. When the queue refuses, the deliveries wait in Postgres.

import { UNREAD_MS } from "../../budget/freshness.ts";
import { type Instant, iso } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { PlatformBounds, PlatformCondition, PlatformSigns } from "../../records/platform-alert.ts";
import { readOutage } from "../litellm/outage.ts";
import { sendNotices } from "./announce-alerts.ts";

export type RecordConditionsDeps = Parameters<typeof sendNotices>[1] & Pick<Ports, "platformAlerts" | "log">;
type Deps = RecordConditionsDeps & Pick<Ports, "snapshots" | "outageNotes" | "policy">;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Reminds the next shift of a problem that lasts. A dead letter counts as a problem for as long. */
const REMIND_MS = 24 * HOUR_MS;

/** By then the sweep has tried four times (after 1, 2 and 4 minutes). */
const PENDING_MS = 15 * MINUTE_MS;

/** The sweep reads every tenant within the hour, even an idle one, so two hours without a read are a problem. */
const SILENT_MS = 2 * HOUR_MS;

/** @throws when Postgres or the queue cannot be reached. */
export async function alertPlatform({ now }: { now: Instant }, deps: Deps): Promise<void> {
  const signs = await deps.platformAlerts.evaluate(boundsAt(now));
  await recordConditions([...conditionsOf(signs), await outageCondition(deps)], now, deps);
}

/** Alerts the operators of the conditions that are new, or due for a reminder. @throws as `alertPlatform`. */
export async function recordConditions(
  conditions: readonly PlatformCondition[],
  now: Instant,
  deps: RecordConditionsDeps,
): Promise<void> {
  const recorded = await deps.platformAlerts.record(conditions, { remindBefore: now - REMIND_MS, now });
  for (const { kind, detail } of recorded.alerts) deps.log.error("platform alert", null, { ...detail, kind });
  await sendNotices(recorded.deliveries, deps);
}

function boundsAt(now: Instant): PlatformBounds {
  return {
    lettersSince: now - REMIND_MS,
    pendingBefore: now - PENDING_MS,
    readBefore: now - SILENT_MS,
    unreadBefore: now - UNREAD_MS,
  };
}

function conditionsOf(signs: PlatformSigns): PlatformCondition[] {
  const { deadLetters, pendingSyncs, missingSubjects, unreadTenants, silence } = signs;
  return [
    {
      kind: "dead_letter",
      detail: deadLetters && { dead_letters: deadLetters.count, queue: deadLetters.queue, error: deadLetters.error },
    },
    {
      kind: "sync_pending",
      detail: pendingSyncs && {
        tenants: pendingSyncs.count,
        tenant_id: pendingSyncs.tenantId,
        error: pendingSyncs.error,
        since: iso(pendingSyncs.since),
      },
    },
    {
      kind: "subject_missing",
      detail: missingSubjects && {
        tenants: missingSubjects.count,
        tenant_id: missingSubjects.tenantId,
        since: iso(missingSubjects.since),
      },
    },
    {
      kind: "tenants_unread",
      detail: unreadTenants && {
        tenants: unreadTenants.count,
        tenant_ids: unreadTenants.tenantIds.join(", "),
        since: iso(unreadTenants.since),
      },
    },
    { kind: "litellm_silent", detail: silence && { last_read_at: silence.lastReadAt && iso(silence.lastReadAt) } },
  ];
}

async function outageCondition(deps: Deps): Promise<PlatformCondition> {
  const startedAt = await readOutage(deps);
  if (startedAt === null) return { kind: "litellm_out", detail: null };
  const { failOpenMinutes } = deps.policy;
  const openUntil = failOpenMinutes === 0 ? null : iso(startedAt + failOpenMinutes * MINUTE_MS);
  return { kind: "litellm_out", detail: { since: iso(startedAt), open_until: openUntil } };
}
