// What follows every change of a tenant that Postgres has: the edge hears of it, then LiteLLM, and people where it is news
// to them. Never fails the change; what cannot be reached now is made up for by the sweep.

import type { Instant } from "../../budget/tenant.ts";
import type { AnnouncedChange } from "../../records/alert-record.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { type AnnounceChangeDeps, tryAnnounceChange } from "../alerts/announce-change.ts";
import { type PublishDeps, publishConfig } from "../edge/publish-config.ts";
import { type SyncDeps, trySyncLiteLlm } from "../litellm/sync-litellm.ts";

export type PublishChangeDeps = PublishDeps & SyncDeps;

/** The tenant as it stands then; its `sync` says whether LiteLLM has it too. */
export async function publishChange(
  changed: TenantRecord,
  now: Instant,
  deps: PublishChangeDeps,
): Promise<TenantRecord> {
  if (changed.sync.status === "pending") return publishAgain(changed, now, deps);
  await publishConfig(changed, now, deps);
  return changed;
}

/** LiteLLM is read even where it had the wish: somebody may have undone it there. It is told only what differs. */
export async function publishAgain(
  changed: TenantRecord,
  now: Instant,
  deps: PublishChangeDeps,
): Promise<TenantRecord> {
  await publishConfig(changed, now, deps);
  const synced = await trySyncLiteLlm(changed, now, deps);
  if (synced.kind === "removed") return changed;
  // LiteLLM's answer may have moved the end of the period.
  if (synced.tenant.config.revision > changed.config.revision) await publishConfig(synced.tenant, now, deps);
  return synced.tenant;
}

/** Nobody waits for the other: neither people for LiteLLM, nor LiteLLM for people. */
export async function publishNews(
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
