// Retries pending syncs of LiteLLM, a bounded number per sweep. A sync is due every minute while LiteLLM is
// unreachable; after a refusal retries back off from 1 minute to 1 hour (src/adapters/postgres/tenants/tenant-sync.ts).
// A tenant that fails waits behind all others.

import type { Instant } from "../../budget/instant.ts";
import type { TenantId } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import { writeConfig, writeSpend } from "../edge/publish.ts";
import { type SyncDeps, syncLiteLlm } from "./sync-litellm.ts";

type Deps = SyncDeps & Pick<Ports, "snapshots" | "memory">;

/** At up to three calls each, a run fits into a minute even when LiteLLM takes half a second per call. */
const TENANTS_PER_RUN = 40;

export async function syncPending({ now }: { now: Instant }, deps: Deps): Promise<void> {
  const claimed = await deps.tenants.claimPendingSyncs(TENANTS_PER_RUN, now);
  for (const tenantId of claimed) {
    try {
      await syncAndPublish({ tenantId, now }, deps);
    } catch (cause) {
      deps.log.error("litellm sync failed", cause, { tenant_id: tenantId });
    }
  }
}

/** Syncs, then writes config and spend to KV, because LiteLLM's answer may move the end of the period. */
export async function syncAndPublish(input: { tenantId: TenantId; now: Instant }, deps: Deps): Promise<void> {
  const synced = await syncLiteLlm(input, deps);
  if (synced.kind !== "synced") return;
  const { config, spend } = synced.tenant;
  await writeConfig(config, input.now, deps);
  await writeSpend(config, spend, deps);
}
