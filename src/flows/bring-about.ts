// What follows a change that Postgres has: the edge hears of it, then LiteLLM. LiteLLM being away delays its part, never
// the change.

import type { Instant } from "../budget/tenant.ts";
import type { TenantRecord } from "../records/tenant-record.ts";
import { type PublishDeps, publishConfig } from "./publish-config.ts";
import { type SyncDeps, trySyncLiteLlm } from "./sync-litellm.ts";

/** The tenant as it now is; its `sync` says whether LiteLLM has it too. Never throws. */
export async function bringAbout(
  changed: TenantRecord,
  now: Instant,
  deps: PublishDeps & SyncDeps,
): Promise<TenantRecord> {
  await publishConfig(changed, now, deps);
  if (changed.sync.status === "synced") return changed;
  const synced = await trySyncLiteLlm(changed, now, deps);
  if (synced.kind === "removed") return changed;
  // LiteLLM's answer may have moved the end of the period.
  if (synced.tenant.config.revision > changed.config.revision) await publishConfig(synced.tenant, now, deps);
  return synced.tenant;
}
