// What the spend queue asks for one tenant, folded: the newest figure, one snapshot, one sync. Repeating it is harmless.

import { joinRecords, type SpendRecord } from "../budget/spend.ts";
import type { Instant, TenantId } from "../budget/tenant.ts";
import type { ValidSpendMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { rewriteConfig } from "./rewrite-config.ts";
import { syncAndPublish } from "./sync-pending.ts";

type Deps = Pick<Ports, "tenants" | "snapshots" | "litellm" | "sealer" | "log">;

export async function applySpendMessages(
  input: { tenantId: TenantId; messages: readonly ValidSpendMessage[]; now: Instant },
  deps: Deps,
): Promise<void> {
  const { tenantId, messages, now } = input;
  const newest = joinAll(messages);
  if (newest !== null) await recordObserved(tenantId, newest, deps);
  if (messages.some(({ kind }) => kind === "rewrite_config")) await rewriteConfig({ tenantId }, deps);
  if (messages.some(({ kind }) => kind === "sync_litellm")) await syncAndPublish({ tenantId, now }, deps);
}

function joinAll(messages: readonly ValidSpendMessage[]): SpendRecord | null {
  return messages.reduce<SpendRecord | null>((joined, message) => {
    if (message.kind !== "observed") return joined;
    return joined === null ? message.record : joinRecords(joined, message.record);
  }, null);
}

/** A new period changes the config too, and every colo must hear of both. */
async function recordObserved(tenantId: TenantId, record: SpendRecord, deps: Deps): Promise<void> {
  const before = await deps.tenants.load(tenantId);
  const after = await deps.tenants.recordSpend(tenantId, record);
  if (before === null || after === null || after.config.revision === before.config.revision) return;
  deps.log.info("period moved", { tenant_id: tenantId });
  await deps.snapshots.writeConfig(after.config);
  if (after.spend !== null) await deps.snapshots.writeSpend(tenantId, after.spend);
}
