// Whether LiteLLM has drifted from what Postgres says, and how often that is acted upon.

import type { Instant } from "../../budget/tenant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant-record.ts";
import { missingIn } from "./desired-state.ts";

const SYNC_SECONDS = 60;

/** True when LiteLLM does not have the wish: somebody has changed it there. */
export function hasDrifted(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): boolean {
  const { fields, softBudget } = missingIn(tenant, litellmRow, now);
  // An old LiteLLM knows no soft budget of a team: telling it again at every read would change nothing.
  const { softBudgetNanoUsd: _, ...rest } = fields;
  const lacking = litellmRow.softBudgetNanoUsd === null ? rest : fields;
  return softBudget !== null || Object.keys(lacking).length > 0;
}

/** Every read compares. What LiteLLM would not take is not sent again all the time. */
export function isWorthASync(
  tenant: TenantRecord,
  litellmRow: LiteLlmRow,
  now: Instant,
  { memory }: Pick<Ports, "memory">,
): boolean {
  const isSame = tenant.config.subject.id === litellmRow.subject.id;
  if (!isSame || tenant.sync.status === "pending" || !hasDrifted(tenant, litellmRow, now)) return false;
  return memory.throttle(`sync:${tenant.config.tenantId}`, SYNC_SECONDS, now);
}
