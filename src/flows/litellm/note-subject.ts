// Records what a read of LiteLLM shows of a tenant's key or team: that it exists, that another than Bursar has blocked
// it, or that LiteLLM has no such key or team. Publishes a change to the edge. A missing subject is also synced, so that
// the tenant's `litellm_sync_error` says why nothing can be set.

import type { Instant } from "../../budget/instant.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import { syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { SubjectFinding, TenantRecord } from "../../records/tenant.ts";
import { type PublishDeps, publishConfig } from "../edge/publish-config.ts";
import { isOwnBlock } from "./desired-state.ts";

export type NoteSubjectDeps = PublishDeps & Pick<Ports, "tenants">;

/** What a read shows. Null when LiteLLM answered that it has no such key or team. */
export function findingIn(tenant: TenantRecord, litellmRow: LiteLlmRow | null): SubjectFinding {
  if (litellmRow === null) return "missing";
  return litellmRow.blocked && !isOwnBlock(tenant, litellmRow) ? "blocked" : "usable";
}

function knownFinding({ subjectMissingAt, litellmBlockedAt }: TenantConfig): SubjectFinding {
  if (subjectMissingAt !== null) return "missing";
  return litellmBlockedAt === null ? "usable" : "blocked";
}

/**
 * The tenant as it is afterwards; the given one when nothing has changed. A key that Bursar has not created yet is not
 * missing. @throws when Postgres or the queue cannot be reached.
 */
export async function noteSubject(
  { tenant, finding, now }: { tenant: TenantRecord; finding: SubjectFinding; now: Instant },
  deps: NoteSubjectDeps,
): Promise<TenantRecord> {
  if (tenant.encryptedKey !== null) return tenant;
  const { tenantId } = tenant.config;
  const noted = knownFinding(tenant.config) === finding ? tenant : await noteChange(tenant, finding, now, deps);
  if (finding === "missing" && noted.sync.status === "synced") await deps.spendQueue.send(syncMessage(tenantId));
  return noted;
}

async function noteChange(
  tenant: TenantRecord,
  finding: SubjectFinding,
  now: Instant,
  deps: NoteSubjectDeps,
): Promise<TenantRecord> {
  const { tenantId, subject } = tenant.config;
  const noted = await deps.tenants.noteSubject({ tenantId, subjectId: subject.id }, finding, now);
  if (noted === null) return tenant;
  deps.log.warn("litellm subject changed", { tenant_id: tenantId, finding });
  await publishConfig(noted, now, deps);
  return noted;
}
