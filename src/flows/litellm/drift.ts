// Detects drift: LiteLLM differs from the desired state in Postgres. Also limits how often drift causes a sync.

import type { Instant } from "../../budget/instant.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { asOlderKey, fieldsToSend } from "./desired-state.ts";
import { presentMark } from "./mark.ts";

const SYNC_SECONDS = 60;

/** True when LiteLLM differs from the desired state, for example after a change by hand. */
export function hasDrifted(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): boolean {
  const older = litellmRow.olderKeys ?? [];
  return differs(tenant, litellmRow, now) || older.some((row) => differs(asOlderKey(tenant, row), row, now));
}

function differs(tenant: TenantRecord, litellmRow: LiteLlmRow, now: Instant): boolean {
  const { fields, softBudget } = fieldsToSend(tenant, litellmRow, presentMark(tenant, litellmRow), now);
  // Older versions of LiteLLM have no soft budget for teams: sending it again at every read would change nothing.
  const { softBudgetNanoUsd: _, ...rest } = fields;
  const lacking = litellmRow.softBudgetNanoUsd === null ? rest : fields;
  return softBudget !== null || Object.keys(lacking).length > 0;
}

/**
 * True when a read shows drift, at most once per `SYNC_SECONDS`, so that a field which LiteLLM ignores is not sent all
 * the time.
 */
export function claimDriftSync(
  tenant: TenantRecord,
  litellmRow: LiteLlmRow,
  now: Instant,
  { memory }: Pick<Ports, "memory">,
): boolean {
  const isSame = tenant.config.subject.id === litellmRow.subject.id;
  if (!isSame || tenant.sync.status === "pending" || !hasDrifted(tenant, litellmRow, now)) return false;
  return memory.throttle(`sync:${tenant.config.tenantId}`, SYNC_SECONDS, now);
}
