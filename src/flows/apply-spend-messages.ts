// What the spend queue asks for one tenant, folded: the newest figure, one snapshot, one sync. Repeating it is harmless.

import { joinRecords, type SpendRecord } from "../budget/spend.ts";
import type { Instant, TenantId } from "../budget/tenant.ts";
import type { ValidSpendMessage } from "../messages.ts";
import type { Ports } from "../ports.ts";
import { rewriteConfig } from "./rewrite-config.ts";
import { syncAndPublish } from "./sync-pending.ts";

type Deps = Pick<Ports, "tenants" | "snapshots" | "litellm" | "sealer" | "log">;

interface Input {
  readonly tenantId: TenantId;
  readonly messages: readonly ValidSpendMessage[];
  readonly now: Instant;
}

export async function applySpendMessages(input: Input, deps: Deps): Promise<void> {
  const { tenantId, messages, now } = input;
  await recordObserved(input, deps);
  if (messages.some(({ kind }) => kind === "rewrite_config")) await rewriteConfig({ tenantId, now }, deps);
  if (messages.some(({ kind }) => kind === "sync_litellm")) await syncAndPublish({ tenantId, now }, deps);
}

/** A new period changes the config too, and every colo must hear of both. */
async function recordObserved({ tenantId, messages }: Input, deps: Deps): Promise<void> {
  const observed = messages.filter((message) => message.kind === "observed");
  if (observed.length === 0) return;
  const before = await deps.tenants.load(tenantId);
  // Nothing that was learned of a former subject of this id is anything of the present one's.
  const own = observed.filter((message) => message.subject_id === before?.config.subject.id);
  const newest = joinAll(own.map(({ record }) => record));
  if (before === null || newest === null) return;
  const after = await deps.tenants.recordSpend(tenantId, newest);
  if (after === null) return;
  // Compared with KV, not with the row before: a delivery that broke off after Postgres had it comes again.
  const known = await deps.snapshots.tenant(tenantId);
  if ("config" in known && known.config !== null && known.config.revision >= after.config.revision) return;
  await deps.snapshots.writeConfig(after.config);
  if (after.spend !== null) await deps.snapshots.writeSpend(after.config, after.spend);
}

function joinAll(records: readonly SpendRecord[]): SpendRecord | null {
  return records.reduce<SpendRecord | null>(
    (joined, record) => (joined === null ? record : joinRecords(joined, record)),
    null,
  );
}
