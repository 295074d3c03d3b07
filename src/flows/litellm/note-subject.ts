// Records what a read of LiteLLM shows of a tenant's key or team: that it exists, that another than Bursar has blocked
// it, or that LiteLLM has no such key or team. Publishes a change to the edge. A missing subject is also synced, so
// that the tenant's `litellm_sync_error` says why nothing can be set. An older key that LiteLLM no longer has ends at
// once, so that the sweep carries its spend.

import type { Instant } from "../../budget/instant.ts";
import type { TenantConfig } from "../../budget/tenant.ts";
import { syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import type { LiteLlmRow } from "../../records/litellm-row.ts";
import type { SubjectFinding, TenantRecord } from "../../records/tenant.ts";
import { type PublishDeps, publishConfig } from "../edge/publish.ts";
import { isOwnBlock } from "./desired-state.ts";

export type NoteSubjectDeps = PublishDeps & Pick<Ports, "tenants" | "tenantKeys">;

export interface SubjectRead {
  readonly tenant: TenantRecord;
  /** Null when LiteLLM answered that it has no such key or team. */
  readonly litellmRow: LiteLlmRow | null;
  readonly now: Instant;
}

/**
 * The tenant as it is afterwards; the given one when nothing has changed, which costs no query. A key that Bursar has
 * not created yet is not missing. @throws when Postgres or the queue cannot be reached.
 */
export async function noteSubject(read: SubjectRead, deps: NoteSubjectDeps): Promise<TenantRecord> {
  const { tenant, litellmRow } = read;
  const { tenantId, subject } = tenant.config;
  if (tenant.encryptedKey !== null || (litellmRow !== null && litellmRow.subject.id !== subject.id)) return tenant;
  for (const keyHash of litellmRow?.goneKeys ?? []) await deps.tenantKeys.endGone(tenantId, keyHash, read.now);
  const finding = findingIn(tenant, litellmRow);
  const noted = finding === knownFinding(tenant.config) ? tenant : await noteChange(read, finding, deps);
  const needsSync = finding === "missing" && noted.sync.status === "synced";
  if (needsSync) await deps.spendQueue.send(syncMessage(tenantId));
  return noted;
}

function findingIn(tenant: TenantRecord, litellmRow: LiteLlmRow | null): SubjectFinding {
  if (litellmRow === null) return "missing";
  return litellmRow.blocked && !isOwnBlock(tenant, litellmRow) ? "blocked" : "usable";
}

function knownFinding({ subjectMissingAt, litellmBlockedAt }: TenantConfig): SubjectFinding {
  if (subjectMissingAt !== null) return "missing";
  return litellmBlockedAt === null ? "usable" : "blocked";
}

async function noteChange(
  { tenant, now }: SubjectRead,
  finding: SubjectFinding,
  deps: NoteSubjectDeps,
): Promise<TenantRecord> {
  const { tenantId, subject } = tenant.config;
  const noted = await deps.tenants.noteSubject({ tenantId, subjectId: subject.id }, finding, now);
  if (noted === null) return tenant;
  deps.log.warn("litellm subject changed", { tenant_id: tenantId, finding });
  await publishConfig(noted, now, deps);
  return noted;
}
