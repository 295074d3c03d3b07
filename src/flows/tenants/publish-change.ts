// The steps after every change of a tenant in Postgres: publish to the edge, sync LiteLLM, and announce the change
// where it has an alert. Never fails the change: the sweep retries what cannot be reached now.

import type { Instant } from "../../budget/instant.ts";
import type { AnnouncedChange } from "../../records/audit.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "../alerts/announce-change.ts";
import { type PublishDeps, publishConfig, publishPeriod } from "../edge/publish.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";

export type PublishChangeDeps = PublishDeps & SyncDeps;

/** The tenant after these steps; `sync` says whether LiteLLM has the change. */
export async function publishChange(
  changed: TenantRecord,
  now: Instant,
  deps: PublishChangeDeps,
): Promise<TenantRecord> {
  if (changed.sync.status === "pending") return publishAgain(changed, now, deps);
  await publishConfig(changed, now, deps);
  return changed;
}

/** Publishes and syncs even without a change, because LiteLLM may have drifted. Sends only fields that differ. */
export async function publishAgain(
  changed: TenantRecord,
  now: Instant,
  deps: PublishChangeDeps,
): Promise<TenantRecord> {
  await publishConfig(changed, now, deps);
  const synced = await trySyncLiteLlm(changed, now, deps);
  if (synced.kind === "removed") return changed;
  // LiteLLM's answer may have moved the end of the period.
  if (synced.tenant.config.revision > changed.config.revision) await publishPeriod(synced.tenant, now, deps);
  return synced.tenant;
}

/** Publishes and announces at the same time, so that neither a slow LiteLLM nor a slow queue delays the other. */
export async function publishAndAnnounce(
  changed: TenantRecord,
  change: AnnouncedChange,
  now: Instant,
  deps: PublishChangeDeps & AnnounceChangeDeps,
): Promise<TenantRecord> {
  const [published] = await Promise.all([
    publishChange(changed, now, deps),
    tryAnnounceChange({ change, tenant: changed, now }, deps),
  ]);
  return published;
}
