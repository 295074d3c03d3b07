// Finds the tenant of a key that Bursar does not know, by the mark in LiteLLM's row of it, and gives the tenant's
// key the new hash: LiteLLM regenerates a key in place. A mark proves nothing while the registered key lives,
// because everyone who can read a key's metadata can copy it: such a key stays unmanaged, is audited, and alerts
// the operators.

import type { Instant } from "../../budget/instant.ts";
import type { KeyHash, TenantId } from "../../budget/tenant.ts";
import { readMessage, syncMessage } from "../../ports/messages.ts";
import type { Ports } from "../../ports/ports.ts";
import { failure, type Result, success } from "../../ports/result.ts";
import type { LiteLlmFailure, LiteLlmRow } from "../../records/litellm-row.ts";
import type { TenantRecord } from "../../records/tenant.ts";
import { recordConditions } from "../alerts/alert-platform.ts";
import { type PublishDeps, publishKeys, publishPeriod } from "../edge/publish.ts";
import { hasMarkOf } from "../litellm/mark.ts";

export type ResolveDeps = PublishDeps &
  Pick<
    Ports,
    "tenants" | "tenantKeys" | "litellm" | "cipher" | "spendBatches" | "platformAlerts" | "noticeQueue" | "policy"
  >;

export interface UnknownKey {
  readonly keyHash: KeyHash;
  /** LiteLLM's row of the key. */
  readonly litellmRow: LiteLlmRow;
  readonly now: Instant;
}

/** A caller waits for the answer, and the search is repeated at the key's next call. */
const TRIES = 1;

/**
 * The tenant that has the key from now on; null when the key is no tenant's. A failure is LiteLLM's: whether the
 * registered key lives is unknown. @throws when Postgres cannot be reached.
 */
export async function resolveByMark(
  input: UnknownKey,
  deps: ResolveDeps,
): Promise<Result<TenantRecord | null, LiteLlmFailure>> {
  const tenant = await provenTenant(input.litellmRow, deps);
  if (tenant === null) return success(null);
  // Another isolate has resolved it meanwhile, or it is a key that has ended, which keeps its mark until it is deleted.
  const registered = await deps.tenantKeys.find(input.keyHash);
  if (registered !== null) {
    return success(registered.blockedAt === null ? await deps.tenants.load(registered.tenantId) : null);
  }
  const gone = await goneKey(tenant, input.now, deps);
  if (!gone.ok) return gone;
  if (gone.value === null) {
    await reportCopy(tenant, input, deps);
    return success(null);
  }
  const { keyHash, now } = input;
  const { tenantId } = tenant.config;
  const replaced = await deps.tenantKeys.replace({ tenantId, from: gone.value, to: keyHash }, now);
  if (replaced !== null) await publishReplaced(replaced, gone.value, input, deps);
  return success(replaced);
}

/** A tenant that no sync has marked yet is proved by the alias that Bursar gave its key. */
async function provenTenant({ metadata, ...litellmRow }: LiteLlmRow, deps: ResolveDeps): Promise<TenantRecord | null> {
  const label = metadata["tenant_id"];
  if (typeof label !== "string") return null;
  const tenant = await deps.tenants.load(label as TenantId);
  if (tenant === null || tenant.config.subject.kind === "team") return null;
  const isProven =
    tenant.markNonce === null ? hasOwnAlias(tenant, litellmRow) : await hasMarkOf(tenant, { metadata }, deps);
  return isProven ? tenant : null;
}

function hasOwnAlias({ config, adopted }: TenantRecord, { alias }: Pick<LiteLlmRow, "alias">): boolean {
  const { tenantId, subject } = config;
  return !adopted && (alias === tenantId || alias === `${tenantId}-${subject.id.slice(0, 8)}`);
}

/**
 * The newest of the tenant's keys that LiteLLM no longer has; null when it has them all. A key that LiteLLM has not
 * created yet, or that has ended, is not replaced.
 */
async function goneKey(
  { config: { subject, otherKeys }, encryptedKey }: TenantRecord,
  now: Instant,
  { litellm }: ResolveDeps,
): Promise<Result<KeyHash | null, LiteLlmFailure>> {
  const live = otherKeys.filter(({ endsAt }) => endsAt > now).map(({ hash }) => hash);
  const registered = [...live, ...(encryptedKey === null ? [subject.id as KeyHash] : [])];
  for (const id of registered.toReversed()) {
    const read = await litellm.readSubject({ kind: "key", id }, { tries: TRIES });
    if (!read.ok) return read.failure.kind === "not_found" ? success(id) : failure(read.failure);
  }
  return success(null);
}

/**
 * LiteLLM keeps the spend of a key that it regenerates, so the ledger goes on, and takes this read like any other. The
 * queue counts it, because the caller waits.
 */
async function publishReplaced(
  tenant: TenantRecord,
  from: KeyHash,
  { keyHash, litellmRow, now }: UnknownKey,
  deps: ResolveDeps,
): Promise<void> {
  const { config } = tenant;
  const { tenantId } = config;
  deps.log.warn("regenerated key resolved", { tenant_id: tenantId });
  const isWhole = config.subject.id === keyHash && config.otherKeys.length === 0 && config.carriedNanoUsd === 0n;
  await Promise.all([
    publishPeriod(tenant, now, deps),
    publishKeys({ keyHashes: [keyHash], tenantId, now }, deps),
    publishKeys({ keyHashes: [from], tenantId: null, now }, deps),
    enqueue(tenantId, deps, [syncMessage(tenantId), ...(isWhole ? [readMessage(config, litellmRow)] : [])]),
  ]);
}

async function enqueue(
  tenantId: TenantId,
  { spendQueue, log }: ResolveDeps,
  messages: Parameters<Ports["spendQueue"]["sendAll"]>[0],
): Promise<void> {
  try {
    await spendQueue.sendAll(messages);
  } catch (error) {
    log.error("sync enqueue failed", error, { tenant_id: tenantId });
  }
}

async function reportCopy({ config }: TenantRecord, { keyHash, now }: UnknownKey, deps: ResolveDeps): Promise<void> {
  const { tenantId, subject } = config;
  deps.log.warn("copied mark refused", { tenant_id: tenantId });
  const detail = { key_hash: keyHash, registered: subject.id };
  const note = { action: "mark_copied", tenantId, detail, sourceId: `mark/${tenantId}/${keyHash}`, at: now } as const;
  await deps.spendBatches.count({ calls: [], bounds: [], notes: [note] }, now);
  const condition = { kind: "mark_copied", detail: { tenant_id: tenantId, key_hash: keyHash } } as const;
  await recordConditions([condition], now, deps);
}
